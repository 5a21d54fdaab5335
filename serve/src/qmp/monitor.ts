import type { Duplex } from 'node:stream';
import type { MonitorEvent } from '../emulator/emulator.ts';
import { UserError } from '../emulator/settings.ts';
import { CAPABILITIES, checkArguments, COMMANDS, EARLY, type CommandContext } from './commands.ts';
import { isObject, JsonError, writeJson, type Json, type JsonObject } from './json.ts';
import { MessageReader } from './message-reader.ts';
import { messageOf, printable, stackOf } from '@qtest/sdk/support';
import { PACKAGE } from './version.ts';

/** Bytes of replies and events that wait for a client, from which on it is not read from; and from which on events are dropped. */
const MAX_PENDING = 2 ** 20;
const MAX_EVENTS = 2 ** 22;

/** Messages that wait for the one before them, from which on the client is not read from. */
const MAX_QUEUED = 8;

const MEMBERS = new Set(['execute', 'exec-oob', 'arguments', 'id']);

/** A client of the machine protocol: a greeting, the negotiation, and then a reply for each message. */
export class Monitor {
  readonly #stream: Duplex;
  readonly #context: CommandContext;
  readonly #after: () => void;
  #isNegotiated = false;
  #hasOob = false;
  /** A command takes its time. */
  #isBusy = false;
  readonly #queue: (Json | JsonError)[] = [];

  /** @param after is called when a message has been dealt with. */
  constructor(stream: Duplex, context: CommandContext, after: () => void) {
    this.#stream = stream;
    this.#context = context;
    this.#after = after;
    const { listeners } = context.emulator;
    const listener = (event: MonitorEvent): void => this.#event(event);
    listeners.add(listener);
    const reader = new MessageReader((message) => this.#take(message));
    stream.on('data', (chunk: Buffer) => reader.push(chunk));
    stream.on('drain', () => this.#resume());
    stream.once('close', () => listeners.delete(listener));
    this.#send({
      QMP: { version: { qemu: context.emulator.settings.version, package: PACKAGE }, capabilities: ['oob'] },
    });
  }

  /** One message after the other, except those that are to overtake. */
  #take(message: Json | JsonError): void {
    const overtakes =
      this.#hasOob && !(message instanceof JsonError) && isObject(message) && message['exec-oob'] !== undefined;
    if (!this.#isBusy || overtakes) {
      this.#answer(message);
      return;
    }
    this.#queue.push(message);
    if (this.#queue.length >= MAX_QUEUED) this.#stream.pause();
  }

  #answer(message: Json | JsonError): void {
    if (message instanceof JsonError) {
      this.#reply(undefined, failure('GenericError', message.message));
      return;
    }
    const id = isObject(message) ? message['id'] : undefined;
    let result: Json | Promise<Json>;
    try {
      result = this.#execute(message);
    } catch (error) {
      this.#reply(id, told(error));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#reply(id, { return: result });
      return;
    }
    this.#isBusy = true;
    void result
      .then(
        (value): JsonObject => ({ return: value }),
        (error: unknown) => told(error),
      )
      .then((reply) => {
        this.#reply(id, reply);
        this.#isBusy = false;
        this.#goOn();
      });
  }

  /** Answers what has waited. */
  #goOn(): void {
    while (!this.#isBusy) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#answer(next);
    }
    this.#resume();
  }

  #resume(): void {
    if (this.#queue.length < MAX_QUEUED && this.#stream.writableLength <= MAX_PENDING) this.#stream.resume();
  }

  #reply(id: Json | undefined, reply: JsonObject): void {
    this.#send(id === undefined ? reply : { ...reply, id });
    this.#after();
    if (this.#stream.writableLength > MAX_PENDING) this.#stream.pause();
  }

  /** @throws UserError */
  #execute(message: Json): Json | Promise<Json> {
    if (!isObject(message)) throw new UserError('QMP input must be a JSON object');
    for (const key of Object.keys(message)) {
      if (!MEMBERS.has(key) || (key === 'exec-oob' && !this.#hasOob))
        throw new UserError(`QMP input member '${key}' is unexpected`);
    }
    const { execute, 'exec-oob': oob, arguments: args = {} } = message;
    if (execute !== undefined && oob !== undefined)
      throw new UserError("QMP input member 'exec-oob' clashes with 'execute'");
    const name = execute ?? oob;
    if (name === undefined) throw new UserError("QMP input lacks member 'execute'");
    if (typeof name !== 'string')
      throw new UserError(`QMP input member '${execute === undefined ? 'exec-oob' : 'execute'}' must be a string`);
    if (!isObject(args)) throw new UserError("QMP input member 'arguments' must be an object");
    if (name === 'qmp_capabilities') return this.#negotiate(args);
    if (!this.#isNegotiated)
      throw new UserError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    const command = COMMANDS.get(name);
    if (command === undefined) throw new UserError(`The command ${name} has not been found`, 'CommandNotFound');
    if (oob !== undefined) throw new UserError(`The command ${name} does not support OOB`);
    if (this.#context.emulator.isPreconfig && !EARLY.has(name))
      throw new UserError(`The command '${name}' is permitted only after machine initialization has completed`);
    checkArguments(command, args);
    return command.run(this.#context, args);
  }

  #negotiate(args: JsonObject): JsonObject {
    if (this.#isNegotiated)
      throw new UserError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    checkArguments(CAPABILITIES, args);
    const { enable } = args;
    this.#hasOob = Array.isArray(enable) && enable.includes('oob');
    this.#isNegotiated = true;
    return {};
  }

  #event({ event, data }: MonitorEvent): void {
    if (!this.#isNegotiated || this.#stream.writableLength > MAX_EVENTS) return;
    const now = Date.now();
    const timestamp = { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
    this.#send({ timestamp, event, ...(data !== undefined && { data }) });
  }

  #send(message: JsonObject): void {
    if (!this.#stream.destroyed) this.#stream.write(`${writeJson(message)}\r\n`);
  }
}

/** What is no mistake of the client's is one of ours: it is told, and ends nobody's session. */
function told(error: unknown): JsonObject {
  if (error instanceof UserError) return failure(error.kind, error.message);
  process.stderr.write(printable(`internal error: ${stackOf(error)}\n`));
  return failure('GenericError', messageOf(error));
}

function failure(kind: UserError['kind'], desc: string): JsonObject {
  return { error: { class: kind, desc } };
}
