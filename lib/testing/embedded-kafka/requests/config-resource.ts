/** What has a configuration, by the protocol's numbers. */
export const ConfigResourceType = { TOPIC: 2, BROKER: 4 } as const;

export interface ConfigResource {
  /** One of `ConfigResourceType`, or a number that is refused. */
  readonly resourceType: number;
  readonly resourceName: string;
}

/** How asking about, or changing, one resource went. */
export interface ConfigResourceResult extends ConfigResource {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}
