/** What does nothing until it is called for the last of so many times. */
export function atLast(calls: number, fn: () => void): () => void {
  let left = calls;
  return () => {
    left--;
    if (left === 0) fn();
  };
}
