// `vsync completion <shell>`: a script that has the shell ask `vsync __complete` what could come next.

import type { Said } from "../context.ts";

export type Shell = "bash" | "zsh" | "fish" | "pwsh";

export interface CompletionResult {
  readonly shell: Shell;
  readonly script: string;
}

export async function completion({ shell }: { readonly shell: Shell }): Promise<CompletionResult> {
  return { shell, script: SCRIPTS[shell] };
}

export function describeCompletion({ shell, script }: CompletionResult): Said {
  return { out: script, advice: [INSTALL[shell]] };
}

const INSTALL: Readonly<Record<Shell, string>> = {
  bash: 'to have it in every shell, in ~/.bashrc: eval "$(vsync completion bash)"',
  zsh: 'to have it in every shell, in ~/.zshrc after compinit: eval "$(vsync completion zsh)"',
  fish: "to have it in every shell: vsync completion fish > ~/.config/fish/completions/vsync.fish",
  pwsh: "to have it in every shell, in $PROFILE: vsync completion pwsh | Out-String | Invoke-Expression",
};

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_vsync() {
  local IFS=$'\\n'
  COMPREPLY=($(vsync __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _vsync vsync`,
  zsh: `_vsync() {
  local -a found
  found=("\${(@f)$(vsync __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _vsync vsync`,
  fish: `function __vsync_complete
  vsync __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c vsync -a '(__vsync_complete)'`,
  pwsh: `Register-ArgumentCompleter -Native -CommandName vsync -ScriptBlock {
  param($word, $tree, $position)
  $words = @($tree.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  vsync __complete '--' @words 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`,
};
