/**
 * What the packages on the host's side share: the table of errors, what was thrown as text, limits of reports, suggestions, bounds, seeded chance;
 * and what they make of definitions, which authors only write.
 * @module @qtest/sdk/support
 */
import './webassembly.ts';

export { isDeviceDefinition } from '../device.ts';
export { API_VERSION, isPlugin } from '../plugin.ts';
export { checkProperties, resolveProperties } from '../properties.ts';
export { layoutState, stateBinder, type StateBinder } from '../state.ts';
export { isDebugged, setDebugged, threadOptions } from './debugged.ts';
export { ERRORS, hostError, type ErrorCode } from './errors.ts';
export { findPackage, packageFolder } from './find-package.ts';
export { addOwnFolder, framesOf, isOwnFile, isOwnFrame, isOwnModule, pathOf } from './frames.ts';
export { inspected, isHuge, unboxed } from './inspected.ts';
export { clipped, clippedInside, flat, LIMITS } from './limits.ts';
export { didYouMean, nearest } from './nearest.ts';
export { isRecord, own } from './own.ts';
export { Random } from './random.ts';
export { markdownText, onOneLine, printable, printableJson, withoutCommands } from './printable.ts';
export { readBounded } from './read-bounded.ts';
export { guardStandardStreams } from './standard-streams.ts';
export {
  boundGetters,
  codeOf,
  fieldOf,
  hasField,
  isError,
  isProxied,
  messageOf,
  nameOf,
  stackOf,
  withoutStack,
} from './thrown.ts';
export { within } from './within.ts';
