/** @file The visitor's photos: read by the browser, cut to what a network sees, and kept nowhere. */
import { signal } from '@preact/signals';
import type { Look, ModelFacts } from 'phosphene/web';

/** RGB bytes, as a backend takes them. */
export type Pixels = Look['photo'];

/** A photo of the visitor. */
export interface Photo {
  /** Tells it from all others of this visit. */
  readonly id: number;
  readonly name: string;
  /** The photo, upright. Throws if it is none that the browser can read. */
  readonly bitmap: () => Promise<ImageBitmap>;
}

/** What is open: photos in their order, or the camera. */
export const photos = signal<readonly Photo[]>([]);
export const camera = signal<MediaStream | undefined>(undefined);
/** What a visitor must be told of the photos that were chosen last. */
export const complaint = signal<string | undefined>(undefined);

/** More of a folder is not read: each is looked at. */
export const MOST_PHOTOS = 400;
/** A canvas can be no larger, and no network looks at more. */
const MOST_PIXELS = 2048;

const IMAGE = /\.(jpe?g|png|webp|avif|gif|bmp|heic)$/i;
export const isImage = (file: File): boolean => file.type.startsWith('image/') || IMAGE.test(file.name);

let ids = 0;

/** Opens files as the photos that there are, in the order of their names. Says so if there are none. */
export function openPhotos(files: readonly File[]): boolean {
  const images = files.filter(isImage).toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  complaint.value =
    images.length === 0
      ? 'There is no photo among these files.'
      : images.length > MOST_PHOTOS
        ? `The first ${MOST_PHOTOS} of ${images.length} photos were opened.`
        : undefined;
  if (images.length === 0) return false;
  stopCamera();
  cut.clear();
  photos.value = images.slice(0, MOST_PHOTOS).map((file) => ({
    id: ++ids,
    name: file.name,
    bitmap: () => createImageBitmap(file, { imageOrientation: 'from-image' }),
  }));
  return true;
}

/** What of a frame of the camera becomes a photo. */
export function openFrame(frame: ImageBitmap): void {
  stopCamera();
  cut.clear();
  photos.value = [{ id: ++ids, name: 'From the camera', bitmap: () => createImageBitmap(frame) }];
}

/** Asks for the camera. Says why it cannot be had. */
export async function startCamera(): Promise<void> {
  complaint.value = undefined;
  try {
    // Not there on a page that is not secure.
    if (!('mediaDevices' in navigator)) throw new Error('this browser gives it only to pages that are secure');
    camera.value = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  } catch (error) {
    complaint.value = `The camera cannot be used: ${(error as Error).message}`;
  }
}

/** Lets go of the camera, so that its light goes out. */
export function stopCamera(): void {
  for (const track of camera.value?.getTracks() ?? []) track.stop();
  camera.value = undefined;
}

/** The size at which a network sees photos. */
export function seenSize({ input, size }: ModelFacts): { readonly width: number; readonly height: number } {
  const height = Math.min(input.size?.height ?? size.height, MOST_PIXELS);
  return { height, width: Math.min(input.size?.width ?? size.width, MOST_PIXELS) };
}

/** The middle of a picture at a size, as large as it can be. */
export function cutTo(
  source: CanvasImageSource,
  from: { readonly width: number; readonly height: number },
  { width, height }: { readonly width: number; readonly height: number },
): ImageData {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.imageSmoothingQuality = 'high';
  // What is transparent becomes mid-grey, which is nothing to a network.
  context.fillStyle = '#808080';
  context.fillRect(0, 0, width, height);
  const scale = Math.max(width / from.width, height / from.height);
  const [w, h] = [from.width * scale, from.height * scale];
  context.drawImage(source, (width - w) / 2, (height - h) / 2, w, h);
  return context.getImageData(0, 0, width, height);
}

const converted = new WeakMap<ImageData, Pixels>();

/** A picture of a canvas as a backend takes it; the same object each time. */
export function pixelsOf(image: ImageData): Pixels {
  const known = converted.get(image) ?? rgbOf(image);
  converted.set(image, known);
  return known;
}

function rgbOf({ width, height, data }: ImageData): Pixels {
  const rgb = new Uint8Array(3 * width * height);
  for (let i = 0, j = 0; j < rgb.length; i += 4) {
    rgb[j++] = data[i]!;
    rgb[j++] = data[i + 1]!;
    rgb[j++] = data[i + 2]!;
  }
  return { width, height, data: rgb };
}

const cut = new Map<string, Promise<ImageData>>();

/** A photo as a network sees it. Throws if it cannot be read. */
export function asSeen(photo: Photo, facts: ModelFacts): Promise<ImageData> {
  const size = seenSize(facts);
  const key = `${photo.id}/${size.width}×${size.height}`;
  const known = cut.get(key);
  if (known) return known;
  const made = photo.bitmap().then(
    (bitmap) => {
      const image = cutTo(bitmap, bitmap, size);
      bitmap.close();
      return image;
    },
    () => {
      throw new Error(`${photo.name} cannot be read as a photo by this browser.`);
    },
  );
  cut.set(key, made);
  return made;
}
