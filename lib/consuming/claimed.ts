/** Whether a record may be handled now. */
export type Claimed =
  /** Its claim is in the course, unless the handler runs without one. */
  | 'go'
  | 'duplicate'
  /** Somebody else is at it, or the store is away: claim again after the wait. */
  | { readonly until: Promise<void> };
