import inspector from 'node:inspector';

/** Whether a debugger can pause this thread: bounds of wall time stand still then. */
export function isDebugged(): boolean {
  return inspector.url() !== undefined;
}
