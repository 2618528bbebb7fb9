// Options of Node.js by which somebody else reads this process's memory, or has code of theirs in it.

/** A debugger, a heap snapshot, a report (it holds the environment) or a core dump: all of them show secrets. */
const SHOWS_MEMORY = /^--(?:inspect|heapsnapshot-|report-on-|report-uncaught-|abort-on-uncaught-exception)/;
const RUNS_OTHER_CODE =
  /^(?:--(?:require|import|loader|experimental-loader|heap-prof|cpu-prof|diagnostic-dir)|-r$)/;

/** Those of NODE_OPTIONS and of the command line (`execArgv`) that show memory, by name. */
export function showsMemory(nodeOptions: string | undefined, execArgv: readonly string[]): string[] {
  return namesOf(nodeOptions, execArgv).filter((name) => SHOWS_MEMORY.test(name));
}

/** The same, and those that load other code or write profiles. */
export function revealsAnything(nodeOptions: string | undefined, execArgv: readonly string[]): string[] {
  return namesOf(nodeOptions, execArgv).filter(
    (name) => SHOWS_MEMORY.test(name) || RUNS_OTHER_CODE.test(name),
  );
}

function namesOf(nodeOptions: string | undefined, execArgv: readonly string[]): string[] {
  const given = [...splitOptions(nodeOptions ?? ""), ...execArgv];
  return [...new Set(given.map((option) => option.replace(/=.*$/s, "").replaceAll("_", "-")))];
}

// As Node does: at spaces outside of double quotes, within which a backslash stands before what is meant as it is.
function splitOptions(text: string): string[] {
  const options = text.match(/(?:"(?:\\.|[^"\\])*"|[^ "])+/gs) ?? [];
  return options.map((option) =>
    option.replace(/"((?:\\.|[^"\\])*)"/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, "$1")),
  );
}
