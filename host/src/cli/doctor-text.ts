import { count, indented } from '../report/format.ts';
import { onOneLine } from '@qtest/sdk/support';
import type { Style } from '../report/style.ts';
import type { Findings, FoundPlugin } from './doctor-findings.ts';

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
    ['emulators', [qemuLine(findings, about.has('qemu')), v86Line(findings, about.has('v86'))]],
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

function qemuLine({ emulators: { qemu } }: Findings, isProblem: boolean): Line {
  if (!qemu.isFine) return { mark: isProblem ? '✗' : '–', text: `qemu  ${isProblem ? qemu.command : qemu.reason}` };
  const { version, build, accelerators, path } = qemu;
  const clocks = [
    ...(accelerators.includes('qtest') ? ['virtual'] : []),
    ...(accelerators.includes('tcg') ? ['realtime'] : []),
  ];
  const told = build === undefined ? version : `${version} (${build})`;
  return {
    mark: '✓',
    text: `qemu  ${told}, accelerators ${accelerators.join(', ')} (clock: ${clocks.join(', ')})  ${path}`,
  };
}

function v86Line({ emulators: { v86 } }: Findings, isProblem: boolean): Line {
  if (!v86.isFine)
    return { mark: isProblem ? '✗' : '–', text: `v86   ${isProblem ? 'it cannot be used' : v86.reason}` };
  return { mark: '✓', text: `v86   ${v86.version}  ${v86.path}` };
}
