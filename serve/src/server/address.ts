import { hostError } from '@qtest/sdk/support';
import { MAX_UNIX_PATH } from './sockets.ts';

/** Where the protocol is spoken. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'stdio' }
  | { readonly kind: 'pipe'; readonly path: string };

export const ADDRESS_EXPECTED = 'unix:PATH, tcp:127.0.0.1:PORT, stdio or pipe:PATH';

/**
 * Takes an address apart.
 * @throws USAGE for what is none, and for a host that others can reach, unless `remote`.
 */
export function parseAddress(text: string, { remote = false }: { readonly remote?: boolean } = {}): Address {
  const wrong = (why: string): Error => hostError('USAGE', `'${text}': ${why}; expected ${ADDRESS_EXPECTED}`);
  if (text === 'stdio') return { kind: 'stdio' };
  const colon = text.indexOf(':');
  const rest = text.slice(colon + 1);
  if (colon < 0 || rest === '') throw wrong('this is no address');
  switch (text.slice(0, colon)) {
    case 'unix':
      if (Buffer.byteLength(rest) > MAX_UNIX_PATH)
        throw wrong(`the path of a unix socket has at most ${MAX_UNIX_PATH} bytes`);
      return { kind: 'unix', path: rest };
    case 'pipe':
      return { kind: 'pipe', path: rest };
    case 'tcp': {
      const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(rest) ?? [];
      if (host === '' || Number(port) > 0xffff) throw wrong('host or port is missing or wrong');
      const bare = host.replace(/^\[(.*)\]$/, '$1');
      if (!remote && !isLoopback(bare))
        throw wrong(
          `'${host}' can be reached from elsewhere, and whoever connects has the machine: --allow-remote allows it`,
        );
      return { kind: 'tcp', host: bare, port: Number(port) };
    }
    default:
      throw wrong(`there is no '${text.slice(0, colon)}'`);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

export function addressText(address: Address): string {
  switch (address.kind) {
    case 'unix':
    case 'pipe':
      return `${address.kind}:${address.path}`;
    case 'tcp':
      return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
    case 'stdio':
      return 'stdio';
  }
}
