/** Ends a run with one plain line that scripts can read: `N passed, N failed`. */
export default class CountReporter {
  onRunComplete(_contexts, results) {
    // A file that could not even be loaded has no tests to count, yet it must not pass unseen.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    process.stdout.write(`${results.numPassedTests} passed, ${failed} failed\n`);
  }
}
