import { statSync } from 'node:fs';
import { parseSwitch } from '../emulator/property-values.ts';
import {
  MACHINES,
  PANIC_ACTIONS,
  Unprefixed,
  UserError,
  WATCHDOG_ACTIONS,
  type Actions,
  type BackendOption,
  type DeviceOption,
  type MachineKind,
  type Settings,
} from '../emulator/settings.ts';
import { DEFAULT_VERSION, isSince, LATER_VERSION, type QemuVersion } from '../qmp/version.ts';
import { messageOf, readBounded, codeOf } from '@qtest/sdk/support';
import type { ChardevSpec } from './chardev.ts';
import { checkId, checkKeys, parseFlat, parseKeyValues } from '../emulator/key-values.ts';
import { readConfigFile } from './config-file.ts';
import { isOption, OPTIONS, type OptionName } from './option-table.ts';

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'show'; readonly what: 'help' | 'version' | 'machines' | 'devices' | 'accels' | 'cpus' }
  | { readonly kind: 'properties'; readonly driver: string }
  | { readonly kind: 'run'; readonly command: Command };

export interface Command {
  readonly settings: Settings;
  readonly chardevs: readonly ChardevSpec[];
  /** Character devices, by id, of the qtest protocol and of monitors. */
  readonly qtest: string | undefined;
  readonly qtestText: string;
  /** A file; undefined for the standard error output, 'none' for none. */
  readonly qtestLog: string | undefined;
  readonly monitors: readonly { readonly chardev: string; readonly mode: 'control' | 'readline' }[];
  readonly warnings: readonly string[];
}

const KIB = 1024;
const SUFFIXES: Readonly<Record<string, number>> = { B: 0, K: 1, M: 2, G: 3, T: 4, P: 5, E: 6 };
const DEFAULT_RAM = 128 * 2 ** 20;
const PAGE = 4096;
/** What a 32-bit machine's RAM ends at here. */
const MAX_RAM = 3 * 2 ** 30;
/** What a firmware can have below 4 GiB, and what an item of its configuration can have here. */
const MAX_BIOS = 16 * 2 ** 20;
const MAX_FW_CFG = 16 * 2 ** 20;
const CPU_MODEL = /^[A-Za-z\d][\w.-]*$/;
const UUID = /^[\da-fA-F]{8}-(?:[\da-fA-F]{4}-){3}[\da-fA-F]{12}$/;
const BOOT_KEYS = ['order', 'once', 'menu', 'splash', 'splash-time', 'reboot-timeout', 'strict'];
/** Properties of machines that change nothing here, and those that only have the value `off`, as what they are of is not there. */
const MACHINE_KEPT = ['dump-guest-core', 'mem-merge', 'graphics', 'vmport', 'smm', 'kernel_irqchip', 'kernel-irqchip'];
const MACHINE_OFF = ['usb', 'sata', 'smbus', 'fd-bootchk'];

/**
 * Takes QEMU's command line apart.
 * @throws UserError in QEMU's words.
 */
export function parseCommandLine(args: readonly string[], now: Date, version?: QemuVersion): Request {
  const parser = new Parser(now, version);
  for (let at = 0; at < args.length; at++) {
    const word = args[at] ?? '';
    if (!word.startsWith('-')) {
      const why = isFile(word)
        ? 'machine type does not support if=ide,bus=0,unit=0'
        : `Could not open '${word}': No such file or directory`;
      throw new UserError(`${word}: ${why}`);
    }
    const name = word.replace(/^--?/, '');
    if (!isOption(name)) throw new UserError(`${word}: invalid option`);
    let value = '';
    if (OPTIONS[name].arg !== '') {
      const next = args[++at];
      if (next === undefined) throw new UserError(`${word}: requires an argument`);
      value = next;
    }
    const shown = parser.take(name, value, OPTIONS[name].arg === '' ? word : `${word} ${value}`);
    if (shown !== undefined) return shown;
  }
  return { kind: 'run', command: parser.finish() };
}

class Parser {
  readonly #now: Date;
  readonly #asked: QemuVersion | undefined;
  #hasAudio = false;
  #machine: MachineKind = 'pc';
  #ram: number | undefined;
  #cpus = 1;
  #cpuModel: string | undefined;
  #epoch: string;
  #hpet = true;
  #acpi = true;
  #graphics = true;
  #hasDefaults = true;
  #name: string | undefined;
  #uuid: string | undefined;
  #boot = new Map<string, string>();
  #floppyCheck = true;
  readonly #fwCfgFiles = new Map<string, Uint8Array>();
  #bios: Uint8Array | undefined;
  #firmware: string | undefined;
  readonly #kernel: Record<'kernel' | 'initrd' | 'append', string | undefined> = {
    kernel: undefined,
    initrd: undefined,
    append: undefined,
  };
  readonly #devices: DeviceOption[] = [];
  readonly #serial: (string | undefined)[] = [];
  #hasSerial = false;
  readonly #globals: { driver: string; property: string; value: string }[] = [];
  #actions: Actions = { watchdog: 'reset', panic: 'shutdown', reboot: 'reset', shutdown: 'poweroff' };
  readonly #backends: BackendOption[] = [];
  #preconfig = false;
  #startStopped = false;
  readonly #chardevs: ChardevSpec[] = [];
  readonly #users: { readonly id: string; readonly text: string; readonly message: string }[] = [];
  #qtest: string | undefined;
  #qtestText = '';
  #qtestLog: string | undefined;
  readonly #monitors: { chardev: string; mode: 'control' | 'readline' }[] = [];
  readonly #warnings: string[] = [];
  readonly #accels: string[] = [];

  constructor(now: Date, asked: QemuVersion | undefined) {
    this.#now = now;
    this.#asked = asked;
    this.#epoch = isoOf(now.getTime());
  }

  /** The one that is asked for; else test programs show theirs by the options that they give. */
  get #version(): QemuVersion {
    return this.#asked ?? (this.#hasAudio ? LATER_VERSION : DEFAULT_VERSION);
  }

  /** Takes an option; gives what is to be shown in place of a run. */
  take(name: OptionName, value: string, text: string): Request | undefined {
    const handler: (value: string, text: string) => Request | void = this.#handlers[name];
    try {
      return handler(value, text) ?? undefined;
    } catch (error) {
      if (!(error instanceof UserError) || error instanceof Unprefixed) throw error;
      throw new Unprefixed(`${text}: ${error.message}`);
    }
  }

  finish(): Command {
    const { maxCpus } = MACHINES[this.#machine];
    if (this.#cpus > maxCpus)
      throw new UserError(
        `Invalid SMP CPUs ${this.#cpus}. The max CPUs supported by machine '${MACHINES[this.#machine].name}' is ${maxCpus}`,
      );
    for (const { id, text, message } of this.#users)
      if (!this.#chardevs.some((chardev) => chardev.id === id)) throw new UserError(`${text}: ${message}`);
    const accels = this.#accels.length === 0 ? ['qtest'] : this.#accels;
    if (!accels.includes('qtest')) throw new UserError(`invalid accelerator ${accels.at(-1)}`);
    for (const accel of accels) if (accel !== 'qtest') this.#warnings.push(`invalid accelerator ${accel}`);
    if (!this.#hasSerial && this.#hasDefaults) this.#serial.push(undefined);
    const order = this.#bootOrder(this.#boot.get('order') ?? 'cad');
    const once = this.#boot.get('once');
    const settings: Settings = {
      version: this.#version,
      machine: this.#machine,
      ram: this.#ram ?? (this.#machine === 'none' ? 0 : DEFAULT_RAM),
      cpus: this.#cpus,
      cpuModel: this.#cpuModel ?? (this.#machine === 'isapc' ? '486' : 'qemu64'),
      epoch: this.#epoch,
      hpet: this.#hpet,
      acpi: this.#acpi,
      graphics: this.#graphics,
      name: this.#name,
      uuid: this.#uuid,
      bootOrder: order,
      bootOnce: once === undefined ? undefined : this.#bootOrder(once),
      bootMenu: switchOf('boot.menu', this.#boot.get('menu') ?? 'off'),
      bootFiles: this.#bootFiles(),
      floppyCheck: this.#floppyCheck,
      fwCfgFiles: Object.fromEntries(this.#fwCfgFiles),
      bios: this.#bios,
      firmware: this.#firmware,
      kernel: this.#kernel,
      devices: this.#devices,
      serial: this.#serial,
      globals: [...laterDefaults(this.#version), ...this.#globals],
      actions: this.#actions,
      backends: this.#backends,
      preconfig: this.#preconfig,
      startStopped: this.#startStopped,
    };
    return {
      settings,
      chardevs: this.#chardevs,
      qtest: this.#qtest,
      qtestText: this.#qtestText,
      qtestLog: this.#qtestLog,
      monitors: this.#monitors,
      warnings: this.#warnings,
    };
  }

  readonly #nothing = (): void => {};

  readonly #handlers: Readonly<Record<OptionName, (value: string, text: string) => Request | void>> = {
    h: () => ({ kind: 'show', what: 'help' }),
    help: () => ({ kind: 'show', what: 'help' }),
    version: () => ({ kind: 'show', what: 'version' }),
    machine: (value) => this.#takeMachine(value),
    M: (value) => this.#takeMachine(value),
    accel: (value) => {
      const accel = parseKeyValues(value, 'accel').get('accel') ?? '';
      if (accel === 'help' || accel === '?') return { kind: 'show', what: 'accels' };
      this.#accels.push(accel);
      return undefined;
    },
    cpu: (value) => {
      const [model = ''] = value.split(',');
      if (model === 'help' || model === '?') return { kind: 'show', what: 'cpus' };
      if (!CPU_MODEL.test(model)) throw new Unprefixed(`unable to find CPU model '${model}'`);
      this.#cpuModel = model;
      return undefined;
    },
    smp: (value) => this.#takeSmp(value),
    m: (value) => this.#takeMemory(value),
    nodefaults: () => void (this.#hasDefaults = false),
    nographic: () => void (this.#graphics = false),
    display: (value) => {
      const type = parseFlat(value, 'type').get('type') ?? '';
      if (type !== 'none') throw new UserError(`Parameter 'type' does not accept value '${type}'`);
    },
    audio: (value) => {
      const pairs = parseKeyValues(value, 'driver');
      const driver = pairs.get('driver') ?? '';
      if (driver !== 'none' && !pairs.has('model')) throw new UserError("Parameter 'model' is missing");
      if (driver !== 'none') throw new UserError(`Parameter 'driver' does not accept value '${driver}'`);
      this.#hasAudio = true;
    },
    audiodev: (value) => {
      const pairs = parseFlat(value, 'driver');
      const driver = pairs.get('driver') ?? '';
      if (driver !== 'none') throw new UserError(`Parameter 'driver' does not accept value '${driver}'`);
      checkId(pairs.get('id'));
    },
    vga: (value) => {
      if (value !== 'none')
        throw new Unprefixed(
          /^(?:std|cirrus|vmware|virtio|qxl)$/.test(value)
            ? `${value} VGA not available`
            : `unknown vga type: ${value}`,
        );
    },
    rtc: (value) => this.#takeRtc(value),
    device: (value, text) => this.#takeDevice(value, text),
    global: (value) => {
      const [, driver = '', property = '', given = ''] = /^([^.=]+)\.([^=]+)=(.*)$/.exec(value) ?? [];
      if (driver === '') throw new UserError(`Invalid parameter '${value}'`);
      this.#globals.push({ driver, property, value: given });
    },
    chardev: (value) => this.#takeChardev(value),
    serial: (value, text) => {
      this.#hasSerial = true;
      if (value === 'none') return;
      const message = `could not connect serial device to character backend '${value}'`;
      this.#serial.push(
        value === 'null' ? undefined : this.#shortChardev(value, `serial${this.#serial.length}`, text, message),
      );
    },
    mon: (value, text) => {
      const pairs = parseKeyValues(value, 'chardev');
      checkKeys(pairs, ['chardev', 'mode', 'pretty']);
      const chardev = pairs.get('chardev') ?? '';
      const mode = pairs.get('mode') ?? 'readline';
      if (mode !== 'control' && mode !== 'readline')
        throw new UserError(`Parameter 'mode' does not accept value '${mode}'`);
      this.#users.push({ id: chardev, text, message: `chardev "${chardev}" not found` });
      this.#monitors.push({ chardev, mode });
    },
    monitor: (value, text) => {
      if (value === 'none') return;
      this.#monitors.push({
        chardev: this.#shortChardev(value, `compat_monitor${this.#monitors.length}`, text),
        mode: 'readline',
      });
    },
    qmp: (value, text) =>
      void this.#monitors.push({
        chardev: this.#shortChardev(value, `compat_monitor${this.#monitors.length}`, text),
        mode: 'control',
      }),
    qtest: (value) => {
      this.#qtestText = value;
      const isKnown = /^(?:unix:|tcp:|pipe:|file:|chardev:|stdio$|null$)/.test(value);
      if (!isKnown)
        throw new Unprefixed(
          `'${value}' is not a valid char driver\nFailed to initialize device for qtest: "${value}"`,
        );
      this.#qtest = this.#shortChardev(value, 'qtest', `-qtest ${value}`);
    },
    'qtest-log': (value) => void (this.#qtestLog = value),
    bios: (value) => {
      this.#bios = readBios(value);
      this.#firmware = value;
    },
    kernel: (value) => {
      if (!isFile(value)) throw new Unprefixed(`could not open kernel file '${value}': No such file or directory`);
      this.#kernel.kernel = value;
    },
    initrd: (value) => void (this.#kernel.initrd = value),
    append: (value) => void (this.#kernel.append = value),
    drive: (value) => void this.#backends.push({ option: 'drive', value }),
    blockdev: (value) => void this.#backends.push({ option: 'blockdev', value }),
    object: (value) => void this.#backends.push({ option: 'object', value }),
    netdev: (value) => void this.#backends.push({ option: 'netdev', value }),
    nic: (value) => this.#refuseNetwork(value),
    net: (value) => this.#refuseNetwork(value),
    fw_cfg: (value, text) => this.#takeFwCfg(value, text),
    boot: (value) => {
      for (const [key, given] of parseKeyValues(value, 'order')) {
        if (!BOOT_KEYS.includes(key)) throw new Unprefixed(`Parameter 'boot.${key}' is unexpected`);
        this.#boot.set(key, given);
      }
    },
    'no-fd-bootchk': () => void (this.#floppyCheck = false),
    'no-hpet': () => void (this.#hpet = false),
    'no-acpi': () => void (this.#acpi = false),
    name: (value) => {
      const pairs = parseKeyValues(value, 'guest');
      checkKeys(pairs, ['guest', 'process', 'debug-threads']);
      this.#name = pairs.get('guest');
    },
    uuid: (value) => {
      if (!UUID.test(value)) throw new UserError('failed to parse UUID string: wrong format');
      this.#uuid = value.toLowerCase();
    },
    S: () => void (this.#startStopped = true),
    preconfig: () => void (this.#preconfig = true),
    'no-reboot': () => void (this.#actions = { ...this.#actions, reboot: 'shutdown' }),
    'no-shutdown': () => void (this.#actions = { ...this.#actions, shutdown: 'pause' }),
    action: (value) => this.#takeActions(parseKeyValues(value)),
    'watchdog-action': (value) => this.#takeActions(new Map([['watchdog', value]])),
    msg: this.#nothing,
    trace: this.#nothing,
    readconfig: (path) => {
      for (const { option, value, line } of readConfigFile(path)) this.take(option, value, `${path}:${line}`);
    },
    'run-with': (value) => checkKeys(parseKeyValues(value), ['exit-with-parent']),
    'no-user-config': this.#nothing,
  };

  #takeMachine(value: string): Request | undefined {
    const pairs = keyValuesStrict(value, 'type');
    const type = pairs.get('type') ?? this.#machine;
    if (type === 'help' || type === '?') return { kind: 'show', what: 'machines' };
    const found = Object.entries(MACHINES).find(([kind, { name }]) => kind === type || name === type)?.[0];
    if (found !== 'pc' && found !== 'isapc' && found !== 'none')
      throw new Unprefixed(
        `unsupported machine type${isSince(this.#version, 10, 0) ? `: "${type}"` : ''}\n` +
          'Use -machine help to list supported machines',
      );
    this.#machine = found;
    const smp = [...pairs].filter(([key]) => key.startsWith('smp.')).map(([key, given]) => `${key.slice(4)}=${given}`);
    if (smp.length > 0) this.#takeSmp(smp.join(','));
    for (const [key, given] of pairs) {
      if (key === 'type' || key.startsWith('smp.')) continue;
      if (key === 'accel') this.#accels.push(...given.split(':'));
      else if (key === 'hpet' && found === 'pc') this.#hpet = switchOf(key, given);
      else if (key === 'acpi') this.#acpi = acpiOf(given);
      else if (key === 'graphics') this.#graphics = switchOf(key, given);
      else if (MACHINE_OFF.includes(key) && !switchOf(key, given)) continue;
      else if (!MACHINE_KEPT.includes(key))
        throw new Unprefixed(`Property '${MACHINES[found].name}-machine.${key}' not found`);
    }
    return undefined;
  }

  #takeSmp(value: string): void {
    const pairs = parseKeyValues(value, 'cpus');
    const keys = ['cpus', 'maxcpus', 'sockets', 'dies', 'clusters', 'cores', 'threads'];
    const numbers = new Map<string, number>();
    for (const [key, given] of pairs) {
      if (!keys.includes(key)) throw new Unprefixed(`Parameter 'smp.${key}' is unexpected`);
      if (!/^\d{1,9}$/.test(given)) throw new Unprefixed(`Parameter 'smp.${key}' expects integer`);
      numbers.set(key, Number(given));
    }
    const product = ['sockets', 'dies', 'cores', 'threads'].reduce((all, key) => all * (numbers.get(key) ?? 1), 1);
    const cpus = numbers.get('cpus') ?? product;
    if (cpus < 1) throw new Unprefixed('Invalid CPU topology: CPU topology parameters must be greater than zero');
    const most = numbers.get('maxcpus') ?? Math.max(cpus, product);
    if (most < cpus)
      throw new Unprefixed(`maxcpus must be equal to or greater than smp: maxcpus (${most}) < smp_cpus (${cpus})`);
    this.#cpus = cpus;
  }

  #takeMemory(value: string): void {
    const pairs = parseKeyValues(value, 'size');
    checkKeys(pairs, ['size', 'slots', 'maxmem']);
    const text = pairs.get('size') ?? '';
    const [, digits = '', suffix = 'M'] = /^(\d+(?:\.\d+)?)([BbKkMmGgTtPpEe]?)$/.exec(text) ?? [];
    if (digits === '')
      throw new UserError(
        "Parameter 'size' expects a non-negative number below 2^64\n" +
          'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.',
      );
    const unit = suffix === '' ? 'M' : suffix.toUpperCase();
    const bytes = Math.floor(Number(digits) * KIB ** (SUFFIXES[unit] ?? 2));
    if (bytes > MAX_RAM) throw new Unprefixed("cannot set up guest memory 'pc.ram': Cannot allocate memory");
    this.#ram = bytes === 0 ? undefined : Math.ceil(bytes / PAGE) * PAGE;
  }

  #takeRtc(value: string): void {
    const pairs = parseKeyValues(value);
    checkKeys(pairs, ['base', 'clock', 'driftfix']);
    const base = pairs.get('base') ?? 'utc';
    const clock = pairs.get('clock') ?? 'host';
    if (!['host', 'rt', 'vm'].includes(clock)) throw new Unprefixed(`invalid option value '${clock}'`);
    const driftfix = pairs.get('driftfix') ?? 'none';
    if (!['none', 'slew'].includes(driftfix)) throw new Unprefixed(`invalid option value '${driftfix}'`);
    if (base === 'utc') return;
    if (base === 'localtime') {
      this.#epoch = isoOf(this.#now.getTime() - this.#now.getTimezoneOffset() * 60_000);
      return;
    }
    const [, date = '', time = '00:00:00'] = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d))?$/.exec(base) ?? [];
    const at = Date.parse(`${date}T${time}Z`);
    if (date === '' || Number.isNaN(at))
      throw new Unprefixed("invalid datetime format\nvalid formats: '2006-06-17T16:01:21' or '2006-06-17'");
    this.#epoch = isoOf(at);
  }

  #takeDevice(value: string, text: string): Request | undefined {
    const pairs = parseFlat(value, 'driver');
    const driver = pairs.get('driver') ?? '';
    if (driver === 'help' || driver === '?') return { kind: 'show', what: 'devices' };
    if (pairs.has('help') || pairs.has('?')) return { kind: 'properties', driver };
    if (driver === '') throw new UserError("Parameter 'driver' is missing");
    const id = pairs.get('id');
    if (id !== undefined) checkId(id);
    pairs.delete('driver');
    pairs.delete('id');
    this.#devices.push({ driver, id, options: pairs, text });
    const chardev = pairs.get('chardev');
    if (chardev !== undefined)
      this.#users.push({ id: chardev, text, message: `Property '${driver}.chardev' can't find value '${chardev}'` });
    return undefined;
  }

  #takeChardev(value: string): void {
    const pairs = parseKeyValues(value, 'backend');
    const kind = pairs.get('backend') ?? '';
    const id = pairs.get('id');
    if (id === undefined) throw new UserError('chardev: no id specified');
    checkId(id);
    if (!['socket', 'file', 'null', 'pipe', 'stdio'].includes(kind))
      throw new UserError(`'${kind}' is not a valid char driver name`);
    if (this.#chardevs.some((other) => other.id === id)) throw new UserError(`Duplicate ID '${id}' for chardev`);
    this.#chardevs.push({ id, kind, options: pairs });
  }

  /** A character device in short, as `unix:PATH,server=on`; gives its id. */
  #shortChardev(value: string, id: string, text: string, message?: string): string {
    const [, scheme = value, rest = ''] = /^(\w+):(.*)$/s.exec(value) ?? [];
    if (scheme === 'chardev') {
      this.#users.push({ id: rest, text, message: message ?? `chardev "${rest}" not found` });
      return rest;
    }
    const [first = '', ...others] = rest.split(',');
    const options = parseKeyValues(others.join(','));
    switch (scheme) {
      case 'unix':
        options.set('path', first);
        break;
      case 'tcp': {
        const colon = first.lastIndexOf(':');
        options.set('host', first.slice(0, Math.max(colon, 0)));
        options.set('port', first.slice(colon + 1));
        break;
      }
      case 'file':
      case 'pipe':
        options.set('path', rest);
        break;
      case 'stdio':
      case 'null':
        break;
      default:
        throw new UserError(
          `'${value}' is not a valid char driver${message === undefined ? '' : `\n${text}: ${message}`}`,
        );
    }
    const kind = scheme === 'unix' || scheme === 'tcp' ? 'socket' : scheme;
    this.#chardevs.push({ id, kind, options });
    return id;
  }

  #refuseNetwork(value: string): void {
    if (value !== 'none') throw new UserError(`there is no network device: expected 'none'`);
  }

  #takeFwCfg(value: string, text: string): void {
    const pairs = parseKeyValues(value, 'name');
    checkKeys(pairs, ['name', 'file', 'string', 'gen_id']);
    const [name, file, string] = [pairs.get('name'), pairs.get('file'), pairs.get('string')];
    if (name === undefined || name === '' || (file === undefined) === (string === undefined))
      throw new UserError('name, plus exactly one of file, string and gen_id, are needed');
    if (!/^[ !#-[\]-~]{1,55}$/.test(name)) throw new UserError(`name too long (max. 55 char)`);
    if (!name.startsWith('opt/'))
      this.#warnings.push(`${text}: warning: externally provided fw_cfg item names should be prefixed with "opt/"`);
    if (string !== undefined) {
      this.#fwCfgFiles.set(name, new TextEncoder().encode(string));
      return;
    }
    try {
      this.#fwCfgFiles.set(name, readBounded(file ?? '', MAX_FW_CFG));
    } catch (error) {
      throw new UserError(`can't load ${file}: ${messageOf(error)}`);
    }
  }

  #takeActions(pairs: ReadonlyMap<string, string>): void {
    for (const [key, value] of pairs) {
      const pick = <T extends string>(among: readonly T[]): T => {
        const found = among.find((item) => item === value);
        if (found === undefined) throw new UserError(`Parameter '${key}' does not accept value '${value}'`);
        return found;
      };
      const actions = this.#actions;
      if (key === 'watchdog') this.#actions = { ...actions, watchdog: pick(WATCHDOG_ACTIONS) };
      else if (key === 'panic') this.#actions = { ...actions, panic: pick(PANIC_ACTIONS) };
      else if (key === 'reboot') this.#actions = { ...actions, reboot: pick(['reset', 'shutdown']) };
      else if (key === 'shutdown') this.#actions = { ...actions, shutdown: pick(['poweroff', 'pause']) };
      else throw new UserError(`Invalid parameter '${key}'`);
    }
  }

  #bootOrder(order: string): string {
    for (const [n, letter] of order.split('').entries()) {
      if (letter < 'a' || letter > 'p') throw new UserError(`Invalid boot device '${letter}'`);
      if (order.indexOf(letter) !== n) throw new UserError(`Boot device '${letter}' was given twice`);
      if (!'acdn'.includes(letter)) throw new UserError(`Invalid boot device for PC`);
    }
    if (order.length > 3) throw new UserError('Too many boot devices for PC');
    return order;
  }

  #bootFiles(): Record<string, Uint8Array> {
    const number = (key: string, from: number, to: number): number | undefined => {
      const text = this.#boot.get(key);
      if (text === undefined) return undefined;
      if (!/^-?\d{1,9}$/.test(text)) throw new UserError(`Parameter 'boot.${key}' expects integer`);
      const value = Number(text);
      if (value < from || value > to)
        throw new UserError(`${key} is invalid, it should be a value between ${from === -1 ? 0 : from} and ${to}`);
      return value;
    };
    const timeout = number('reboot-timeout', -1, 0xffff);
    const splash = number('splash-time', 0, 0xffff);
    return {
      ...(timeout !== undefined && { 'etc/boot-fail-wait': littleEndian(timeout, 4) }),
      ...(splash !== undefined && { 'etc/boot-menu-wait': littleEndian(splash, 2) }),
    };
  }
}

/** Defaults that a later QEMU has changed, by devices. */
function laterDefaults(version: QemuVersion): Settings['globals'] {
  if (!isSince(version, 9, 1)) return [];
  return ['pvpanic', 'pvpanic-pci'].map((driver) => ({ driver, property: 'events', value: '7' }));
}

function acpiOf(text: string): boolean {
  return text === 'auto' || switchOf('acpi', text);
}

function switchOf(key: string, text: string): boolean {
  const on = parseSwitch(text);
  if (on === undefined) throw new Unprefixed(`Parameter '${key}' expects 'on' or 'off'`);
  return on;
}

/** As for `-machine`, where a word without a value is an error. */
function keyValuesStrict(text: string, implied: string): Map<string, string> {
  for (const [n, word] of text.split(',').entries())
    if (n > 0 && !word.includes('=')) throw new UserError(`Expected '=' after parameter '${word}'`);
  return parseKeyValues(text, implied);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
}

function readBios(path: string): Uint8Array {
  try {
    return readBounded(path, MAX_BIOS);
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? '' : `: ${messageOf(error)}`;
    throw new Unprefixed(`could not load PC BIOS '${path}'${why}`);
  }
}

function isoOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function littleEndian(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (value >> (8 * i)) & 0xff);
}
