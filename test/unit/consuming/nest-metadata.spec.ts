import 'reflect-metadata';

import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  createParamDecorator,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';

import {
  CATCH_METADATA,
  CONTEXT_PARAM,
  CUSTOM_PARAM,
  ENHANCER_METADATA,
  EVENT_HANDLER,
  PARAM_ARGS_METADATA,
  PATTERN_EXTRAS_METADATA,
  PATTERN_HANDLER_METADATA,
  PAYLOAD_PARAM,
} from '../../../lib/consuming/nest-metadata.js';

const GUARD = { canActivate: () => true };
const PIPE = { transform: (value: unknown) => value };
const INTERCEPTOR = { intercept: () => Promise.reject(new Error('unused')) };
const FILTER = { catch: () => undefined };
const Custom = createParamDecorator(() => 'custom');

@Catch(TypeError)
class TypeErrorFilter {
  catch(): void {
    return undefined;
  }
}

@UseGuards(GUARD)
class Decorated {
  @UsePipes(PIPE)
  @UseInterceptors(INTERCEPTOR)
  @UseFilters(FILTER)
  handle(@Ctx() _context: unknown, @Payload('sku') _sku: string, @Custom() _custom: string): void {
    return undefined;
  }
}

describe('the table of Nest’s metadata', () => {
  const { handle } = Decorated.prototype;
  const read = (key: string, target: object): unknown => Reflect.getMetadata(key, target);

  it('has the keys under which the decorators of this Nest keep enhancers', () => {
    expect(read(ENHANCER_METADATA.guard, Decorated)).toEqual([GUARD]);
    expect(read(ENHANCER_METADATA.pipe, handle)).toEqual([PIPE]);
    expect(read(ENHANCER_METADATA.interceptor, handle)).toEqual([INTERCEPTOR]);
    expect(read(ENHANCER_METADATA.filter, handle)).toEqual([FILTER]);
    expect(read(CATCH_METADATA, TypeErrorFilter)).toEqual([TypeError]);
  });

  it('has the key and the types under which parameters are kept', () => {
    const params = Reflect.getMetadata(PARAM_ARGS_METADATA, Decorated, 'handle') as object;

    expect(params).toMatchObject({
      [`${String(CONTEXT_PARAM)}:0`]: { index: 0 },
      [`${String(PAYLOAD_PARAM)}:1`]: { index: 1, data: 'sku' },
    });
    expect(Object.keys(params).filter((key) => key.includes(CUSTOM_PARAM))).toHaveLength(1);
  });

  it('has the keys under which patterns keep what they take, and an object for each method', () => {
    class Patterns {
      @EventPattern(['orders'])
      event(): void {
        return undefined;
      }
      @MessagePattern(['orders'])
      request(): void {
        return undefined;
      }
    }
    const { event, request } = Patterns.prototype;

    expect(read(PATTERN_HANDLER_METADATA, event)).toBe(EVENT_HANDLER);
    expect(read(PATTERN_HANDLER_METADATA, request)).not.toBe(EVENT_HANDLER);
    expect(read(PATTERN_EXTRAS_METADATA, event)).toEqual({});
    expect(read(PATTERN_EXTRAS_METADATA, event)).not.toBe(read(PATTERN_EXTRAS_METADATA, request));
  });
});
