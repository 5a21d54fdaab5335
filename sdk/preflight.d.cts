/** Whether this Node can run a command; where it can't, what is needed has been said, and the exit status is set. */
declare function preflight(command: string, exitCode: number): boolean;
export = preflight;
