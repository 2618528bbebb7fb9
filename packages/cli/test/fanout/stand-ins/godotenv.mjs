// One `NAME="value"` as godotenv 1.5 reads it, the parser behind gh's env files: two passes for escapes, then variables.

/** Null when it is no such line. */
export function parseLine(line, variables) {
  const [, name, quoted] = /^([A-Za-z0-9_.]+)=(".*)$/s.exec(line) ?? [];
  if (quoted === undefined) return null;
  for (let at = 1; at < quoted.length; at++) {
    if (quoted[at] !== '"' || quoted[at - 1] === "\\") continue;
    return [name, expand(unescapeBoth(quoted.slice(0, at).replace(/"+$/, "").replace(/^"+/, "")), variables)];
  }
  return null;
}

function unescapeBoth(text) {
  const breaks = text.replace(/\\[^\n]/g, (pair) => ({ "\\n": "\n", "\\r": "\r" })[pair] ?? pair);
  return breaks.replace(/\\([^$])/g, "$1");
}

function expand(text, variables) {
  return text.replace(/(\\)?(\$)(\()?\{?([A-Z0-9_]+)?\}?/g, (all, escaped, _dollar, _open, variable) => {
    if (escaped) return all.slice(1);
    return variable === undefined ? all : (variables[variable] ?? "");
  });
}
