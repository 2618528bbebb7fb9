// Objects in a bucket: an S3 server or a folder, behind one interface (docs/formats.md section 10).

export {
  type Credentials,
  CredentialsError,
  findProfileRegion,
  resolveCredentials,
  temporaryVariables,
} from "./credentials.ts";
export {
  DEFAULT_MAX_BYTES,
  type ListedObject,
  type ObjectInfo,
  type ObjectStore,
  type Progress,
  type ReadOptions,
  type RequestOptions,
  type StoredObject,
  StoreError,
  type StoreErrorCode,
  type StoreErrorDetails,
  type WriteOptions,
  type WrittenObject,
} from "./object-store.ts";
export { openStore, type StoreLocation, type StoreOptions } from "./open-store.ts";
export {
  clearAbandoned,
  type LockHolder,
  nameHolder,
  pidOfHolder,
  tryLock,
  unlock,
} from "./rename-lock.ts";
