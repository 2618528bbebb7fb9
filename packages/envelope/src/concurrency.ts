// Runs asynchronous work on a list a few at a time: enough for the thread pool, without holding all of it at once.

/** What a thread pool has by default; more would only hold more memory. */
const WIDTH = 4;

/** The results in the order of the list. After the first failure no further item is begun. */
export async function mapConcurrently<T, R>(list: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(list.length);
  const waiting = list.entries();
  let failed = false;
  const lane = async () => {
    for (const [i, item] of waiting) {
      if (failed) return;
      try {
        results[i] = await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, lane));
  return results;
}
