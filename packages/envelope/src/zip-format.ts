// Sizes, signatures and fields of a zip file as far as a vault's archive uses them. PKWARE APPNOTE 6.3 section 4.3.

export const LOCAL_SIGNATURE = 0x04034b50;
export const CENTRAL_SIGNATURE = 0x02014b50;
export const DESCRIPTOR_SIGNATURE = 0x08074b50;
export const END_SIGNATURE = 0x06054b50;

/** Without name, extra fields and comment. */
export const LOCAL_BYTES = 30;
export const CENTRAL_BYTES = 46;
export const END_BYTES = 22;

export const STORED = 0;
export const DEFLATED = 8;

export const FLAG_ENCRYPTED = 0x0001;
/** How hard the deflater tried. */
export const FLAG_DEFLATE_EFFORT = 0x0006;
/** CRC and sizes stand behind the data, not before it. */
export const FLAG_DESCRIPTOR = 0x0008;
export const FLAG_UTF8 = 0x0800;

export const MADE_BY_UNIX = 3;
export const MODE_TYPE = 0o170000;
export const MODE_REGULAR = 0o100000;
export const MODE_LINK = 0o120000;
export const MODE_FOLDER = 0o040000;
/** set-uid, set-gid, sticky */
export const MODE_SPECIAL = 0o007000;
export const MODE_OWNER_EXECUTES = 0o000100;
export const DOS_FOLDER = 0x10;
export const DOS_VOLUME_LABEL = 0x08;

/** One file of an archive, as it goes in and comes out. */
export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}
