import { isIPv6 } from 'node:net';

/** Whether a text is `host:port`, an IPv6 address in brackets. */
export function isBrokerAddress(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  const [, bracketed, host, port] = /^(?:\[([^\]]*)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) return false;
  return bracketed === undefined ? host !== undefined : isIPv6(bracketed);
}
