import { join } from 'node:path';

import type { Register } from '@qtest/sdk';
import ts from 'typescript';

import type { Page } from './api-pages.ts';

/** One export, as a page shows it: a heading with its code, or a row of a table. */
export type Entry = {
  readonly name: string;
  readonly heading: string;
  readonly doc: string;
  readonly code: string;
  /** Names of the types that it mentions. */
  readonly uses: readonly string[];
  readonly row: string;
  readonly kind: 'block' | 'register' | 'constant';
};

interface Contents {
  readonly exports: readonly string[];
  readonly sections: readonly { readonly title: string; readonly text?: string; readonly entries: readonly Entry[] }[];
}

/** What a page shows of its package. */
export async function readPackage(root: string, page: Page): Promise<Contents> {
  const path = join(root, page.declarations);
  const program = ts.createProgram([path], {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    skipLibCheck: true,
  });
  const reader = new Reader(program.getTypeChecker());
  const file = program.getSourceFile(path);
  const symbol = file && reader.checker.getSymbolAtLocation(file);
  if (symbol === undefined) throw new Error(`${page.declarations} is not there: run npm run build`);
  const values: unknown = await import(page.specifier);
  const exports = new Map(reader.checker.getExportsOfModule(symbol).map((item) => [item.name, item]));
  const sections = page.sections.map(({ title, text, names }) => ({
    title,
    ...(text !== undefined && { text }),
    entries: names.flatMap((name) => {
      const item = exports.get(name);
      if (item === undefined) throw new Error(`docs/api-pages.ts: ${page.specifier} has no export ${name}`);
      return reader.entriesOf(item, valueIn(values, name));
    }),
  }));
  const types =
    page.deviceTypes === true
      ? [{ title: 'Device types', text: DEVICE_TYPES, entries: reader.deviceTypes(program) }]
      : [];
  return { exports: [...exports.keys()], sections: [...sections, ...types] };
}

const DEVICE_TYPES = 'The types that `machine.add(type, properties)` takes, and their properties.';

class Reader {
  readonly checker: ts.TypeChecker;

  constructor(checker: ts.TypeChecker) {
    this.checker = checker;
  }

  entriesOf(exported: ts.Symbol, value: unknown): readonly Entry[] {
    const { name } = exported;
    const symbol = exported.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(exported) : exported;
    const declarations = symbol.declarations ?? [];
    if (declarations.some((node) => ts.isSourceFile(node)))
      return this.checker
        .getExportsOfModule(symbol)
        .flatMap((item) => this.entriesOf(item, valueIn(value, item.name)))
        .toSorted((a, b) => placeOf(a) - placeOf(b));
    const doc = declarations
      .map((node) => docOf(node))
      .join('\n\n')
      .trim();
    const code = declarations.map((node) => codeOf(node)).join('\n');
    const isFunction = declarations.some((node) => ts.isFunctionDeclaration(node));
    const uses = declarations.flatMap((node) => this.#usesOf(node));
    const rest = { name, doc, code, uses, heading: isFunction ? `\`${name}()\`` : `\`${name}\`` };
    if (isRegister(value)) return [{ ...rest, kind: 'register', row: registerRow(name, value, doc) }];
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint')
      return [{ ...rest, kind: 'constant', row: `| \`${name}\` | ${shown(value)} | ${inCell(doc)} |` }];
    return [{ ...rest, kind: 'block', row: '' }];
  }

  /** What the package adds to the SDK's `DeviceTypes`. */
  deviceTypes(program: ts.Program): readonly Entry[] {
    return program
      .getSourceFiles()
      .flatMap(({ statements }) => [...statements])
      .flatMap((node) =>
        ts.isModuleDeclaration(node) && node.body && ts.isModuleBlock(node.body) ? [...node.body.statements] : [],
      )
      .flatMap((node) => (ts.isInterfaceDeclaration(node) && node.name.text === 'DeviceTypes' ? [...node.members] : []))
      .flatMap((node): readonly Entry[] => {
        if (!ts.isPropertySignature(node) || node.type === undefined) return [];
        const name = ts.isStringLiteral(node.name) ? node.name.text : node.name.getText();
        const code = `type Properties = ${withoutLinks(node.type.getText())};`;
        return [
          {
            name: `type ${name}`,
            heading: `\`${name}\``,
            doc: docOf(node),
            code,
            uses: this.#usesOf(node),
            kind: 'block',
            row: '',
          },
        ];
      });
  }

  #usesOf(node: ts.Node): readonly string[] {
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined;
    const symbol = name && this.checker.getSymbolAtLocation(name);
    const own = symbol === undefined || symbol.flags & ts.SymbolFlags.TypeParameter ? [] : [symbol.name];
    const inside: string[] = [];
    ts.forEachChild(node, (child) => void inside.push(...this.#usesOf(child)));
    return [...own, ...inside];
  }
}

/** Functions first, then types, then the rest, each in the order of the source. */
function placeOf({ heading, kind, code }: Entry): number {
  if (kind !== 'block') return 3;
  if (heading.includes('(')) return 0;
  return code.startsWith('const') ? 2 : 1;
}

/** A declaration without its doc comment, its `export` and its `declare`. */
function codeOf(node: ts.Declaration): string {
  if (ts.isVariableDeclaration(node)) return `const ${node.getText()};`;
  return withoutLinks(node.getText()).replace(/^export (?:declare )?/, '');
}

function withoutLinks(text: string): string {
  return text.replaceAll(/\{@link ([^}\s]+)[^}]*\}/g, '$1');
}

/** A doc comment as Markdown. */
function docOf(node: ts.Node): string {
  // What stands before the last comment is the file's head.
  const comments = ts.getJSDocCommentsAndTags(node).filter((item) => ts.isJSDoc(item));
  return comments
    .slice(-1)
    .flatMap((comment) => [
      textOf(comment.comment),
      ...(comment.tags ?? []).map((tag) => {
        const text = textOf(tag.comment);
        if (tag.tagName.text === 'example') return `\`\`\`ts\n${text}\n\`\`\``;
        if (ts.isJSDocParameterTag(tag)) return `- \`${tag.name.getText()}\`: ${text}`;
        // TypeScript takes the first word of a `@throws` for a type.
        const thrown = /^\/?[^]*?@throws\s+([^]*?)\s*$/.exec(tag.getText())?.[1]?.replaceAll(/\s*\n\s*\*?\s*/g, ' ');
        return `- ${TAGS.get(tag.tagName.text) ?? tag.tagName.text} ${thrown ?? text}`;
      }),
    ])
    .filter((text) => text !== '')
    .join('\n\n')
    .replaceAll(/\n\n(?=- )/g, (gap, at, whole) => (/(?:^|\n)- [^\n]*$/.test(whole.slice(0, at)) ? '\n' : gap));
}

const TAGS = new Map([
  ['returns', 'Gives'],
  ['throws', 'Throws'],
]);

function textOf(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  return withoutLinks(ts.getTextOfJSDocComment(comment) ?? '').trim();
}

function registerRow(name: string, register: Register, doc: string): string {
  const { fields, effect, width, reset, offset } = register;
  const bits = fields.map(
    ({ name: field, msb, lsb, access }) =>
      `${field === register.name ? '' : `\`${field}\` `}${msb === lsb ? msb : `${msb}–${lsb}`} ${access}`,
  );
  const text = [bits.join(', '), inCell(doc), capitalised(effect ?? '')]
    .filter((item) => item !== '')
    .join('. ')
    .replaceAll('.. ', '. ');
  return `| \`${name}\` | ${shown(offset)} | ${width} | ${reset === undefined ? '' : shown(reset)} | ${text} |`;
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function inCell(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').replaceAll('|', '\\|');
}

function shown(value: number | bigint | string): string {
  if (typeof value === 'string') return `\`'${value}'\``;
  return value > 9 ? `0x${value.toString(16)} (${value})` : String(value);
}

function valueIn(values: unknown, name: string): unknown {
  return typeof values === 'object' && values !== null ? Reflect.get(values, name) : undefined;
}

function isRegister(value: unknown): value is Register {
  return typeof value === 'object' && value !== null && 'fields' in value && 'writable' in value;
}
