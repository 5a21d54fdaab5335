const ASKED = /(?:^|\s)--inspect(?:-brk|-wait)?(?:=|\s|$)/;

/** A worker does not see the inspector of the process, by which it is debugged too. */
const isStartedSo = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => ASKED.test(option));

const WAITS = /(^|\s)--inspect-(?:brk|wait)(?==|\s|$)/g;

/**
 * How a thread is started in a process that waited for its debugger at the start: without waiting for one of its own, which nobody may have
 * asked for.
 */
export function threadOptions(): { readonly execArgv?: string[]; readonly env?: NodeJS.ProcessEnv } {
  if (!isStartedSo) return {};
  const withoutWait = (option: string): string => option.replace(WAITS, '$1--inspect');
  const { NODE_OPTIONS = '', ...env } = process.env;
  return {
    execArgv: process.execArgv.map(withoutWait),
    env: { ...env, NODE_OPTIONS: withoutWait(NODE_OPTIONS) },
  };
}

let isTold = false;

/** Notes that a thread of this process is being debugged. */
export function setDebugged(): void {
  isTold = true;
}

/** Whether a debugger can pause what the host waits for: bounds of wall time stand still then. */
export function isDebugged(): boolean {
  return isTold || isStartedSo || process.getBuiltinModule('node:inspector').url() !== undefined;
}
