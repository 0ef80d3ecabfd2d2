/** Ends a run with one plain line that scripts can read: `N passed, N failed`. */
export default class CountReporter {
  onRunComplete(_contexts, results) {
    // A file that could not even be loaded has no tests to count, yet it must not pass unseen.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    // jest's own summary is always written after the other reporters; this comes last.
    process.once('exit', () => {
      process.stdout.write(`\n${results.numPassedTests} passed, ${failed} failed\n`);
    });
  }
}
