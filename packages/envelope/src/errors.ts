// The closed set of errors that the formats, and so the reader, can end in. Each class has one code for good.

/** Base of every error vsync's reader throws. `message` says what happened and what to do; it never holds a secret. */
export class VSyncError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  // On the prototype: an own `name` would be one more enumerable property, and minifiers rename classes.
  override get name(): string {
    return "VSyncError";
  }
}

/** An input is not set, its file is unusable, or it is no `VSYNC_CONFIG`. */
export class ConfigMissingError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_CONFIG_MISSING", message, options);
  }

  override get name(): string {
    return "ConfigMissingError";
  }
}

/** `VSYNC_CONFIG` was made by a newer release. */
export class ConfigUnsupportedVersionError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_CONFIG_UNSUPPORTED_VERSION", message, options);
  }

  override get name(): string {
    return "ConfigUnsupportedVersionError";
  }
}

/** No connection, no answer in time, cancelled, or an answer that is neither the object nor "not there"; the message has the permission, region or clock to look at. */
export class S3UnreachableError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_S3_UNREACHABLE", message, options);
  }

  override get name(): string {
    return "S3UnreachableError";
  }
}

/** Nothing was pushed to this place yet, or the manifest was deleted. */
export class ManifestNotFoundError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_MANIFEST_NOT_FOUND", message, options);
  }

  override get name(): string {
    return "ManifestNotFoundError";
  }
}

/** The passphrase is not the one that the vault, or the share, was sealed with. */
export class WrongPassphraseError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_WRONG_PASSPHRASE", message, options);
  }

  override get name(): string {
    return "WrongPassphraseError";
  }
}

/** What the bucket or `VSYNC_CONFIG` holds is damaged, forged, out of bounds, or older than it may be. */
export class BundleCorruptError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_BUNDLE_CORRUPT", message, options);
  }

  override get name(): string {
    return "BundleCorruptError";
  }
}

/** The vault was written by a newer release. */
export class UnsupportedSpecVersionError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_UNSUPPORTED_SPEC_VERSION", message, options);
  }

  override get name(): string {
    return "UnsupportedSpecVersionError";
  }
}

/** A writer's refusal: a file, name or value that the formats cannot hold or that some machine could not unpack. */
export class InputRefusedError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_INPUT_REFUSED", message, options);
  }

  override get name(): string {
    return "InputRefusedError";
  }
}
