/** @file Where downloaded weights are kept. */
import { homedir } from 'node:os';
import { posix, win32 } from 'node:path';

/** What helps if this cache cannot be used, for messages. */
export const ANOTHER_CACHE = 'choose another cache folder with `PHOSPHENE_CACHE`';

/** The surroundings that decide; the process's own unless a test says otherwise. */
export interface CacheSurroundings {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly platform?: NodeJS.Platform;
  readonly home?: string;
}

/**
 * The cache folder (not created here): `option`, else `$PHOSPHENE_CACHE`, else the system's place for caches:
 * `$XDG_CACHE_HOME/phosphene` or `~/.cache/phosphene`, on macOS `~/Library/Caches/phosphene`, on Windows
 * `%LOCALAPPDATA%\phosphene\Cache`. (The package env-paths gives the same places. It reads its surroundings when it is loaded, so
 * that no test can choose them, and heeds a relative `$XDG_CACHE_HOME`.)
 *
 * @example
 * cacheFolder(); // '/home/ada/.cache/phosphene'
 */
export function cacheFolder(option?: string, surroundings: CacheSurroundings = {}): string {
  const { env = process.env, platform = process.platform, home = homedir() } = surroundings;
  const path = platform === 'win32' ? win32 : posix;
  const chosen = option || env['PHOSPHENE_CACHE'];
  if (chosen) return path.resolve(chosen);
  // The XDG specification tells programs to ignore relative paths.
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'phosphene');
  if (platform === 'darwin') return path.join(home, 'Library', 'Caches', 'phosphene');
  if (platform === 'win32')
    return path.join(env['LOCALAPPDATA'] || path.join(home, 'AppData', 'Local'), 'phosphene', 'Cache');
  return path.join(home, '.cache', 'phosphene');
}
