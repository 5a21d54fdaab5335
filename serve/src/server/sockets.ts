import { existsSync, linkSync, lstatSync, unlinkSync, type BigIntStats } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { codeOf, messageOf } from '@qtest/sdk/support';

/** Longest path of a unix socket: Linux's `sun_path`, less its end. Node cuts a longer one off. */
export const MAX_UNIX_PATH = 107;

/**
 * Has a server listen on a unix socket. A socket that nobody listens to any more is replaced; whatever else is at the path stays there.
 *
 * When a server closes, libuv removes the name that it was bound to, whoever's it is by then. So it is bound to a name of its own, of
 * which the path is made a link: that also takes the path in one step, when two servers want it.
 * @returns removes the socket, unless it is another's by then; done when the process exits, too.
 * @throws an error with the reason alone.
 */
export async function listenOnUnix(server: Server, path: string): Promise<() => void> {
  const own = join(dirname(path), `.${Math.random().toString(36).slice(2, 8)}`);
  if (Buffer.byteLength(path) > MAX_UNIX_PATH || Buffer.byteLength(own) > MAX_UNIX_PATH)
    throw new Error(`the path of a unix socket, and of another beside it, has at most ${MAX_UNIX_PATH} bytes`);
  try {
    await listenAt(server, { path: own });
  } catch (error) {
    // libuv says EACCES of a folder that is not there.
    const why = existsSync(dirname(path)) ? messageOf(error).replace(own, path) : `there is no folder ${dirname(path)}`;
    throw new Error(why, { cause: error });
  }
  try {
    while (!isLinked(own, path)) await removeStale(path);
    unlinkSync(own);
  } catch (error) {
    // Its own name goes with it.
    server.close();
    throw error;
  }
  const ours = statOf(path);
  const remove = (): void => {
    process.off('exit', remove);
    // Its number is not given to another file while the server listens.
    const there = statOf(path);
    if (there !== undefined && there.ino === ours?.ino && there.dev === ours.dev) unlinkSync(path);
  };
  process.on('exit', remove);
  return remove;
}

/** Has a server listen; throws where it cannot. */
export async function listenAt(
  server: Server,
  at: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Makes the path a link to a socket; false when something is there. */
function isLinked(own: string, path: string): boolean {
  try {
    linkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a socket to which nobody listens.
 * @throws when something else is there.
 */
async function removeStale(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`there is ${kindOf(found)}, which is left as it is: expected nothing, or a socket of before`);
  const refusal = await refusalOf(path);
  if (refusal === undefined) throw new Error('somebody listens there already');
  if (codeOf(refusal) === 'ENOENT') return;
  if (codeOf(refusal) !== 'ECONNREFUSED') throw refusal;
  // Another server may have been quicker.
  const now = statOf(path);
  if (now?.ino === found.ino && now.ctimeNs === found.ctimeNs) unlinkSync(path);
}

/** Why a socket takes no connection; undefined when it takes one. */
async function refusalOf(path: string): Promise<Error | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', resolve);
  });
}

/** Of what is at the path itself; undefined for nothing, also where it cannot be looked at. */
function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function kindOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'a regular file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isSymbolicLink()) return 'a symbolic link';
  return stats.isFIFO() ? 'a FIFO' : 'a device';
}
