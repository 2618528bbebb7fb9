export function parseLine(line: string, variables: Readonly<Record<string, string>>): [string, string] | null;
