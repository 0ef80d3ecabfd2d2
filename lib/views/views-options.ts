import type { ViewDefinition } from './view-definition.js';
import type { ViewStore } from './view-store.js';

/** The module's `views`. */
export interface ViewsOptions {
  /**
   * `'memory'`: each instance reads the log from its beginning at every start, and is ready when it has; up to
   * 100,000 rows a view (`MemoryViewStore` for more). Or a store that all instances share.
   */
  readonly store: ViewStore | 'memory';
  /** What `defineView` made. */
  readonly views: readonly ViewDefinition[];
}
