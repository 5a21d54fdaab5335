import type { PropertyValue } from '@qtest/sdk';
import { parseUnsigned } from '../server/numbers.ts';
import type { QemuProperty } from './device-types.ts';
import { UserError } from './settings.ts';

const BITS = { uint8: 8n, uint16: 16n, uint32: 32n, uint64: 64n } as const;

/** `on` or `off`, in all of QEMU's ways; undefined for neither. */
export function parseSwitch(text: string): boolean | undefined {
  if (/^(?:on|yes|true|y)$/.test(text)) return true;
  return /^(?:off|no|false|n)$/.test(text) ? false : undefined;
}

/**
 * A property's value, as text, as the host's device takes it.
 * @throws UserError in QEMU's words.
 */
export function ownValue(key: string, { type }: QemuProperty, text: string): PropertyValue {
  if (type === 'str') return text;
  if (type === 'bool') {
    const on = parseSwitch(text);
    if (on === undefined) throw new UserError(`Parameter '${key}' expects 'on' or 'off'`);
    return on;
  }
  const value = parseUnsigned(text);
  if (value === undefined) throw new UserError(`Parameter '${key}' expects integer`);
  if (value >= 2n ** BITS[type]) throw new UserError(`Parameter '${key}' expects ${type}_t`);
  return Number(value);
}
