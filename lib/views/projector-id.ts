const PREFIX = 'view:';

/** What dead letters and metrics know the projector of a view by. */
export function projectorId(view: string): string {
  return `${PREFIX}${view}`;
}

export function isProjector(handlerId: string): boolean {
  return handlerId.startsWith(PREFIX);
}
