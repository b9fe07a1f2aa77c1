// Lets a rejection and an exception go uncaught, and prints a line: proof that the runner sees in
// this runtime what the other scenarios claim does not happen.

export async function run() {
  console.error("witness line");
  void Promise.reject(new Error("witness rejection"));
  setTimeout(() => {
    throw new Error("witness exception");
  }, 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
}
