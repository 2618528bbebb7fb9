// What a row of the audit log can be about: docs/formats.md section 7.

export const AUDIT_ACTIONS = [
  "push",
  "pull",
  "import",
  "export",
  "restore",
  "rotate",
  "runtime-token",
  "sync",
  "take-over",
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];
