import inspector from 'node:inspector';

const ASKED = /(?:^|\s)--inspect(?:-brk|-wait)?(?:=|\s|$)/;

/** A worker does not see the inspector of the process, by which it is debugged too. */
const isStartedSo = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((option) => ASKED.test(option));

let isTold = false;

/** Notes that a thread of this process is being debugged. */
export function setDebugged(): void {
  isTold = true;
}

/** Whether a debugger can pause what the host waits for: bounds of wall time stand still then. */
export function isDebugged(): boolean {
  return isTold || isStartedSo || inspector.url() !== undefined;
}
