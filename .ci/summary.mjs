// Prints `N passed, N failed, N skipped` from vitest's JSON report. Plain JS: it must run on any Node.
// Exit status: 0 all passed, 1 a failure, 2 no test ran or no report.
import { readFileSync } from 'node:fs';

const counts = { passed: 0, failed: 0, skipped: 0 };
try {
  const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
  for (const file of report.testResults) {
    for (const { status } of file.assertionResults) {
      counts[status === 'passed' || status === 'failed' ? status : 'skipped']++;
    }
    // A file that could not be loaded, or whose hook threw, fails without a failed test of its own.
    if (file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed')) counts.failed++;
  }
} catch (error) {
  console.log(`no test report: ${error.message}`);
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : counts.passed > 0 ? 0 : 2;
