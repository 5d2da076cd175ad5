/**
 * @file Before all tests: a GPU made of software, if Chromium is installed, which brings one. Test files run in processes of their own, and
 * where libraries are found is decided when a process starts, so it is said here and not in the tests that want it.
 */
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';

const folder = '/usr/lib/chromium';
const driver = `${folder}/vk_swiftshader_icd.json`;

export default function setup(): void {
  if (!existsSync(driver) || process.env['VK_ICD_FILENAMES'] !== undefined) return;
  process.env['VK_ICD_FILENAMES'] = driver;
  process.env['LD_LIBRARY_PATH'] = [folder, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(delimiter);
}
