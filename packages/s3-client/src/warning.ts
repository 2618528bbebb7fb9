// The reader's only log: the three warnings that docs and tests name.

/** One line on stderr. Not process.stderr: where that is closed its error event would end the application. */
export function warn(line: string): void {
  // biome-ignore lint/suspicious/noConsole: this is the place for it
  console.warn(line);
}
