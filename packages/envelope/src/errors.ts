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

/** An input is unset or unusable: VSYNC_CONFIG, VSYNC_PASSPHRASE or the file one of them names. */
export class ConfigMissingError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_CONFIG_MISSING", message, options);
  }

  override get name(): string {
    return "ConfigMissingError";
  }
}

/** VSYNC_CONFIG was made by a release that is newer than this one. */
export class ConfigUnsupportedVersionError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_CONFIG_UNSUPPORTED_VERSION", message, options);
  }

  override get name(): string {
    return "ConfigUnsupportedVersionError";
  }
}

/** The bucket did not answer, or answered something else than the object or "not there". */
export class S3UnreachableError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_S3_UNREACHABLE", message, options);
  }

  override get name(): string {
    return "S3UnreachableError";
  }
}

/** Nothing has been pushed under this prefix yet, or it was deleted. */
export class ManifestNotFoundError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_MANIFEST_NOT_FOUND", message, options);
  }

  override get name(): string {
    return "ManifestNotFoundError";
  }
}

/** The passphrase is not the one this vault, or this share, was written with. */
export class WrongPassphraseError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_WRONG_PASSPHRASE", message, options);
  }

  override get name(): string {
    return "WrongPassphraseError";
  }
}

/** What was read is damaged, cut, forged, out of bounds or not what it claims to be. */
export class BundleCorruptError extends VSyncError {
  constructor(message: string, options?: ErrorOptions) {
    super("VSYNC_BUNDLE_CORRUPT", message, options);
  }

  override get name(): string {
    return "BundleCorruptError";
  }
}

/** An envelope of a later version than this release reads. */
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
