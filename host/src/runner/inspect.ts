import inspector from 'node:inspector';

import { hostError, setDebugged } from '@qtest/sdk/support';
import type { InspectRequest } from '../config/inspect.ts';

/**
 * Opens this thread's own inspector, and waits until a debugger has come and lets it run.
 * @returns what sends the debugger away: Node would wait at the thread's end until it goes.
 * @throws USAGE when the port cannot be had.
 */
export function waitForDebugger({ host, port, breaks }: InspectRequest, run: unknown): () => void {
  setDebugged();
  inspector.open(port, host);
  if (inspector.url() === undefined) throw hostError('USAGE', `--inspect: ${host}:${port} cannot be listened at`);
  inspector.waitForDebugger();
  const session = breaks ? stopAt(run) : undefined;
  return () => {
    session?.disconnect();
    inspector.close();
  };
}

/** Stops at the first line of a function, as any debugger then sees. */
function stopAt(run: unknown): inspector.Session {
  const session = new inspector.Session();
  session.connect();
  session.post('Debugger.enable');
  // The inspector takes values of this thread by an expression alone.
  const key = Symbol.for('qtest.case');
  Reflect.set(globalThis, key, run);
  session.post('Runtime.evaluate', { expression: `globalThis[Symbol.for('qtest.case')]` }, (error, answer) => {
    const objectId = answer?.result.objectId;
    if (error === null && objectId !== undefined) session.post('Debugger.setBreakpointOnFunctionCall', { objectId });
  });
  Reflect.deleteProperty(globalThis, key);
  return session;
}
