/**
 * How many hash tags all keys share: enough to spread over the masters of a cluster, few enough for
 * the keys of one call to meet in a script.
 */
const TAGS = 64;

/** What one script call takes at most: Redis does nothing else meanwhile. */
const MAX_KEYS = 500;

/** Requests of one script call, with their places in the call that they came in. */
export interface KeyGroup<Request> {
  readonly keys: string[];
  readonly requests: Request[];
  readonly places: number[];
}

/** The name of a claim's key in Redis: `<prefix>{<tag>}:<key>`. */
function redisKey(prefix: string, key: string): string {
  return `${prefix}{${String(tagOf(key))}}:${key}`;
}

/**
 * Puts requests together whose keys one script may touch: on a cluster those of one hash tag, since
 * they are in one slot. Requests of one key keep their order.
 */
export function groupKeys<Request extends { readonly key: string }>(
  requests: readonly Request[],
  prefix: string,
  byTag: boolean,
): KeyGroup<Request>[] {
  const groups: KeyGroup<Request>[] = [];
  const open = new Map<number, KeyGroup<Request>>();
  requests.forEach((request, place) => {
    const tag = byTag ? tagOf(request.key) : 0;
    let group = open.get(tag);
    if (group === undefined || group.keys.length === MAX_KEYS) {
      group = { keys: [], requests: [], places: [] };
      groups.push(group);
      open.set(tag, group);
    }
    group.keys.push(redisKey(prefix, request.key));
    group.requests.push(request);
    group.places.push(place);
  });
  return groups;
}

function tagOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash >>> 0) % TAGS;
}
