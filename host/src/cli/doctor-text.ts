import { count, indented } from '../report/format.ts';
import { onOneLine } from '@qtest/sdk/support';
import type { Style } from '../report/style.ts';
import type { Findings, FoundEmulator, FoundPlugin } from './doctor-findings.ts';

/** A line of the report: whether it is fine, and what there is. */
interface Line {
  readonly mark: '✓' | '✗' | '–';
  readonly text: string;
}

const COLOURS = { '✓': 'green', '✗': 'red', '–': 'dim' } as const;

const WIDTH = 'TypeScript'.length;

/** The findings for a reader. */
export function findingsText(findings: Findings, style: Style): string {
  const { host, node, problems } = findings;
  const about = new Set(problems.map((problem) => problem.about));
  const sections: readonly (readonly [title: string, lines: readonly Line[]])[] = [
    ['qtest', [{ mark: '✓', text: `${host.version}, plugin API ${host.api}` }]],
    ['Node', [{ mark: '✓', text: `${node.version} (needed: ${node.needed})  ${node.path}` }]],
    [
      'TypeScript',
      [findings.typescript ? { mark: '✓', text: 'Node strips types' } : { mark: '✗', text: 'Node strips no types' }],
    ],
    ['config', [configLine(findings, about.has('config'))]],
    ['plugins', pluginLines(findings)],
    ['emulators', emulatorLines(findings, about)],
  ];
  const lines = sections.flatMap(([title, found]) =>
    found.map(({ mark, text }, index) => {
      const heading = style('bold', (index === 0 ? title : '').padEnd(WIDTH));
      return `${heading}  ${style(COLOURS[mark], mark)} ${onOneLine(text)}`;
    }),
  );
  const told = problems.flatMap(({ severity, message }) => [
    '',
    ...indented(`${severity}: ${message}`, '  ').map((line, index) =>
      index === 0 ? line.replace(severity, style(severity === 'error' ? 'red' : 'yellow', severity)) : line,
    ),
  ]);
  const summary = problems.length === 0 ? 'nothing is wrong' : count(problems.length, 'problem');
  return `${[...lines, '', summary, ...told].join('\n')}\n`;
}

function configLine({ config: { file, keys } }: Findings, isBroken: boolean): Line {
  if (isBroken) return { mark: '✗', text: 'it cannot be used' };
  if (file === undefined) return { mark: '–', text: 'none' };
  return { mark: '✓', text: `${file}  ${keys.length === 0 ? 'no keys' : keys.join(', ')}` };
}

function pluginLines({ plugins }: Findings): readonly Line[] {
  if (plugins.length === 0) return [{ mark: '–', text: 'none' }];
  return plugins.map((plugin) => ({
    mark: plugin.isFine ? '✓' : '✗',
    text: [plugin.name ?? plugin.spec, packageText(plugin), apiText(plugin), holds(plugin), plugin.file]
      .filter((part) => part !== undefined && part !== '')
      .join('  '),
  }));
}

function packageText({ package: name, packageVersion }: FoundPlugin): string {
  return [name, packageVersion].filter((part) => part !== undefined).join(' ');
}

function apiText({ api }: FoundPlugin): string {
  return api === undefined ? '' : `API ${api}`;
}

function holds({ cases, devices = [] }: FoundPlugin): string {
  if (cases === undefined) return '';
  return [count(cases, 'case'), ...(devices.length === 0 ? [] : [`devices ${devices.join(', ')}`])].join(', ');
}

function emulatorLines({ emulators }: Findings, about: ReadonlySet<string>): readonly Line[] {
  const names = Object.keys(emulators);
  if (names.length === 0)
    return [{ mark: '–', text: 'none: no backend is installed (npm install --save-dev @qtest/backend-qemu, for one)' }];
  const width = Math.max(...names.map((name) => name.length));
  return Object.entries(emulators).map(([name, found]) => {
    const text = found.isFine ? emulatorText(found) : about.has(name) ? 'it cannot be used' : found.reason;
    const mark = found.isFine ? '✓' : about.has(name) ? '✗' : '–';
    return { mark, text: `${name.padEnd(width)}  ${text}` };
  });
}

function emulatorText({
  version,
  build,
  clocks,
  features = {},
  path,
}: Extract<FoundEmulator, { isFine: true }>): string {
  const told = build === undefined ? version : `${version} (${build})`;
  const more = Object.entries(features).map(([name, list]) => `${name} ${list.join(', ')}`);
  return [
    [told, ...more].join(', '),
    `(clock: ${clocks.join(', ')})`,
    ...(path === undefined ? [] : [` ${path}`]),
  ].join(' ');
}
