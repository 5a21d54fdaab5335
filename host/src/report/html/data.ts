import { BLOCKS, type PageCoverage, type PageDetails, type PageRun } from '../html-data.ts';

/** The run, as the report has it in plain text. */
export function readRun(): PageRun {
  const run: PageRun = JSON.parse(textOf(BLOCKS.run));
  return run;
}

/** What the report has of one case beside its line in the list. */
export async function readDetails(index: number): Promise<PageDetails> {
  const details: PageDetails = JSON.parse(await unpacked(BLOCKS.case(index)));
  return details;
}

/** The register coverage of all cases together. */
export async function readCoverage(): Promise<readonly PageCoverage[]> {
  const coverage: readonly PageCoverage[] = JSON.parse(await unpacked(BLOCKS.coverage));
  return coverage;
}

function textOf(id: string): string {
  const text = document.getElementById(id)?.textContent;
  if (text === undefined || text === null) throw new Error(`the report has no block '${id}': it is not whole`);
  return text;
}

/** Text of a block that is deflated and written in base 64. */
async function unpacked(id: string): Promise<string> {
  const bytes = Uint8Array.from(atob(textOf(id)), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))).text();
}
