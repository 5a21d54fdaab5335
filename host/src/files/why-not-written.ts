import { codeOf, messageOf } from '@qtest/sdk/support';

/** Why a file could not be written, and what to do, in words for a reader. */
export function whyNotWritten(error: unknown): string {
  return WHY[codeOf(error) ?? ''] ?? messageOf(error);
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder: make it first',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EPIPE: 'its reader has gone',
};
