/**
 * A machine before other programs: the qtest protocol.
 * @module @qtest/serve
 */
export { addressText, parseAddress } from './server/address.ts';
export { type RequestLog } from './server/connection.ts';
export { parseUnsigned } from './server/numbers.ts';
export { Paths, buildTree } from './server/paths.ts';
export { openLog } from './server/request-log.ts';
export { Server } from './server/serve.ts';
export { ServedMachine } from './server/served-machine.ts';
export { Session } from './server/session.ts';
