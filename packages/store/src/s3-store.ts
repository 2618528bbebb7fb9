// A bucket on an S3 server (docs/formats.md section 10).

import type { ObjectStore } from "./object-store.ts";
import type { StoreLocation, StoreOptions } from "./open-store.ts";

export function openS3Store(
  _endpoint: URL,
  _location: StoreLocation,
  _options: StoreOptions,
): Promise<ObjectStore> {
  return Promise.reject(new RangeError("not yet"));
}
