/**
 * Where Nest's decorators keep what they are given.
 *
 * Nest exports these names only from its internal entry points, which it asks others not to import;
 * a test holds this table against what the decorators really write.
 */
export const ENHANCER_METADATA = {
  guard: '__guards__',
  interceptor: '__interceptors__',
  pipe: '__pipes__',
  filter: '__exceptionFilters__',
} as const;

export type EnhancerKind = keyof typeof ENHANCER_METADATA;

/** On a filter class: the error classes of its `@Catch(...)`. */
export const CATCH_METADATA = '__filterCatchExceptions__';

/** On the class, per method: the parameters with decorators, by `<type>:<index>`. */
export const PARAM_ARGS_METADATA = '__routeArguments__';

/** What the keys of parameters made by `createParamDecorator` contain. */
export const CUSTOM_PARAM = '__customRouteArgs__';

/** The `<type>` of `@Payload()` and `@Ctx()`. */
export const PAYLOAD_PARAM = 3;
export const CONTEXT_PARAM = 6;

/** On a method with `@EventPattern` or `@MessagePattern`: an object of its own for each method. */
export const PATTERN_EXTRAS_METADATA = 'microservices:pattern_extras';

/** On such a method: whether it takes events or answers requests. */
export const PATTERN_HANDLER_METADATA = 'microservices:handler_type';
export const EVENT_HANDLER = 2;

/** The context type of guards, pipes, interceptors and filters of an event handler. */
export const CONTEXT_TYPE = 'rpc';
