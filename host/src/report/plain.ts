import type { CaseResult, ReportContext, SourceLocation } from './events.ts';
import { failureLines } from './failure.ts';

/** What a reader is told of a failed case, without colours and heading, from the margin. */
export function failureText(result: CaseResult, { cwd, rerun }: ReportContext): string {
  const lines = failureLines(result, '', { style: (_format, text) => text, cwd, rerun: rerun(result) });
  return lines
    .map((line) => line.replace(/^ {4}/, ''))
    .join('\n')
    .trim();
}

/** Why a case did not pass, on one line. */
export function briefly({ failures: [first], status, reason }: CaseResult): string {
  const message = first?.message ?? reason ?? status;
  return message.split('\n', 1)[0] ?? status;
}

/** Where the first failure that has a place was. */
export function firstPlace({ failures }: CaseResult): SourceLocation | undefined {
  return failures.find(({ location }) => location !== undefined)?.location;
}
