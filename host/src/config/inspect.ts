/** Where the debugger of a case's VCPU is to be. */
export interface InspectRequest {
  readonly host: string;
  readonly port: number;
  /** Whether the case stops at its first line. */
  readonly breaks: boolean;
}

export const INSPECT_EXPECTED = '[host:]port, such as 9229 or 127.0.0.1:9229';

const LOOPBACK = '127.0.0.1';
const MAX_PORT = 65_535;

/** What `--inspect` is given; undefined when it is no such thing. */
export function parseInspect(text: string, breaks: boolean): InspectRequest | undefined {
  const [, bracketed, plain, digits = ''] = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = digits === '' ? 0 : Number(digits);
  if (port < 1 || port > MAX_PORT) return undefined;
  return { host: bracketed ?? plain ?? LOOPBACK, port, breaks };
}
