/** `se completion`: prints the completion script of a shell. Each asks `se __complete`, so that all offer the same. */
import type { Command } from '../command.js'

/** bash splits words at `:` and `=`, which ids and flags hold: the line is split anew, and answers are cut to fit. */
const BASH = `# Completion of se for bash: eval "$(se completion bash)"
_se() {
  local line=\${COMP_LINE:0:COMP_POINT} kind word note current head
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current=\${words[\${#words[@]}-1]}
  head=
  if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then head=\${current%"\${current##*:}"}; fi
  if [[ $COMP_WORDBREAKS == *=* && $current == *=* ]]; then
    local upto=\${current%"\${current##*=}"}
    ((\${#upto} > \${#head})) && head=$upto
  fi
  COMPREPLY=()
  {
    IFS= read -r kind
    while IFS=$'\\t' read -r word note; do COMPREPLY+=("\${word#"$head"}"); done
  } < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  local last=\${current#"$head"}
  case $kind in
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$last") ;;
    programs) mapfile -t COMPREPLY < <(compgen -c -- "$last") ;;
  esac
}
complete -F _se se
`

const ZSH = `#compdef se
# Completion of se for zsh: eval "$(se completion zsh)", after compinit
_se() {
  local kind word note
  local -a answers
  {
    IFS= read -r kind
    while IFS=$'\\t' read -r word note; do
      answers+=("\${word//:/\\\\:}\${note:+:$note}")
    done
  } < <("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  case $kind in
    files) _files ;;
    programs) _command_names -e ;;
    *) (( \${#answers} )) && _describe -V 'se' answers ;;
  esac
}
if [ "$funcstack[1]" = _se ]; then _se "$@"; else compdef _se se; fi
`

const FISH = `# Completion of se for fish: se completion fish > ~/.config/fish/completions/se.fish
function __se_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l answers ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    set -l kind $answers[1]
    switch "$kind"
        case files
            __fish_complete_path (commandline -ct)
        case programs
            complete -C (commandline -ct)
        case '*'
            string join \\n -- $answers[2..-1]
    end
end
complete -c se -f -a '(__se_complete)'
`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

/** Prints a completion script. */
export const command: Command = {
  name: 'completion',
  summary: 'print the completion script of a shell',
  usage: ['bash | zsh | fish'],
  description: [
    'The script completes commands, flags and their values, files, plugins, and the IDs of the chosen store. It never asks for ' +
      'anything: where a passphrase is needed, no ID is offered.',
  ],
  flags: [],
  positionals: [{ name: 'SHELL', choices: Object.keys(SCRIPTS) }],
  examples: [
    { note: 'bash, in ~/.bashrc', command: 'eval "$(se completion bash)"' },
    { note: 'zsh, in ~/.zshrc after compinit', command: 'eval "$(se completion zsh)"' },
    { note: 'fish', command: 'se completion fish > ~/.config/fish/completions/se.fish' },
  ],
  storeless: true,
  async run({ positionals, stdout }) {
    stdout.write(SCRIPTS[positionals[0] ?? ''] ?? '')
    return 0
  },
}
