import { App } from './app.ts';
import { readRun } from './data.ts';
import { el } from './dom.ts';
import { applyStyles } from './styles.ts';

async function start(): Promise<void> {
  applyStyles();
  await new App(readRun()).start();
}

start().catch((error: unknown) => {
  document.body.append(el('p', { role: 'alert' }, `This report can't be shown: ${String(error)}`));
  throw error;
});
