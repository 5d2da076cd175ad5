/**
 * @file The package `phosphene`: networks, recipes, pictures and workers, on any platform. `phosphene/node` and `phosphene/web` are all
 * of it with an engine and workers; `phosphene/ir` is the language that graphs are written in, `phosphene/grad` differentiates them.
 */
export { type ErrorCode, type ErrorData, PhospheneError } from './errors.ts';
export { Random } from './random.ts';
export {
  type AnyKind,
  kind,
  type Kind,
  type Optional,
  type PartialSpec,
  type SpecOf,
  type Table,
  table,
} from './noun.ts';
export {
  checked,
  choice,
  flag,
  type Limits,
  normalised,
  number,
  type Schema,
  type Setting,
  text,
  type Values,
  whole,
} from './settings.ts';

// Engines.
export type { CompileOptions, LoweringName, Program, Run, Runtime } from './runtime/index.ts';

// Networks.
export { formats, openNetwork, type OpenOptions, type Format } from './import/formats.ts';
export { indexOf, type Input, type Layer, type Listing, type Network, type Size } from './import/network.ts';
export {
  knownPreprocess,
  type Origin,
  type Preprocess,
  preprocessOf,
  type PreprocessName,
  type PreprocessRange,
  type PreprocessSpec,
} from './import/preprocess.ts';
export { parseLabels } from './import/labels.ts';
export { blobSource, bytesSource, type Source } from './import/source.ts';

// A step of ascent, and the nouns that it is made of.
export { StepBuilder } from './step/builder.ts';
export type { Draw } from './step/draw.ts';
export type { Feed, Job, State, Step, StepData, StepPlan } from './step/step.ts';
export {
  type Activation,
  interpolated,
  type InterpolateSpec,
  mapTerms,
  type Need,
  negative,
  type Objective,
  type ObjectiveContext,
  objectiveOf,
  objectives,
  type ObjectiveSpec,
  ofPicture,
  parseObjective,
  type PartialObjective,
  type PictureSpec,
  printObjective,
  product,
  type ProductSpec,
  type SumSpec,
  type Term,
  type TermSpec,
  type Untitled,
  weighted,
} from './objective/index.ts';
export {
  type Colours,
  measureColours,
  measureSpectrum,
  type Param,
  type Parameters,
  type Photos,
  params,
  type ParamSpec,
  type Spectrum,
  startFrom,
} from './param/index.ts';
export {
  type Affine,
  type Alteration,
  type Motion,
  type Outside,
  seen,
  sizeSeen,
  type Transform,
  transforms,
  type TransformSpec,
  type View,
} from './transform/index.ts';
export { type Optimiser, optimisers, type OptimiserSpec } from './optimiser/index.ts';

// The ascent.
export { ascend, type Ascent, type CompiledStep, type Progress } from './render/ascend.ts';
export {
  type Course,
  diagnose,
  type Diagnosis,
  type Failure,
  type Pixels,
  remedyOf,
  type Status,
  statuses,
} from './render/diagnosis.ts';
export type { Iterates } from './render/iterate.ts';
export type { OverrideSpec } from './render/overrides.ts';
export { presets, type Preset, type PresetName } from './render/presets.ts';
export { classifierOf, classIndex } from './render/classes.ts';
export type { Given, ObjectiveLike, Raised } from './render/raised.ts';
export {
  ALGORITHM,
  type Change,
  channelRecipe,
  type CustomSpec,
  digestOf,
  fitted,
  type FittedTo,
  type Recipe,
  recipeOf,
  type RecipeOptions,
  settle,
  type Settled,
  type StartSpec,
  type TargetFacts,
  type Unit,
  unitSpec,
} from './render/recipe.ts';
export {
  decodePicture,
  encodePicture,
  type Expected,
  type Finished,
  type PictureRecord,
  type Verdict,
} from './render/record.ts';
export { dreamDigest, type DreamRecipe, dreamSettings, type DreamSettings } from './render/dream.ts';
export { type Cut, stepOf, type StepParts, valuesOf } from './render/step.ts';
export {
  type Obstacle,
  type Shows,
  surveyed,
  type Surveyed,
  type Target,
  targetAt,
  targets,
} from './render/targets.ts';

// Workers.
export { createPool, type JobEvent, type Pool, type PoolOptions, type SubmitOptions } from './jobs/pool.ts';
export type { FromWorker, Host, Port, ToWorker, WorkerHandle } from './jobs/protocol.ts';
export { serve } from './jobs/serve.ts';
export {
  animateAscent,
  animateMorph,
  type Frames,
  framesAt,
  type MorphOptions,
  type Stitching,
} from './jobs/animate.ts';
export { type Dream, type DreamEvent, dreamPhoto, type DreamWanted } from './jobs/dream.ts';
export { activationMap, type ActivationMap, type Strengths, strengthsOf } from './jobs/look.ts';
export { type Alike, type Nearest, nearestTo, type Portrait, portraitOf } from './jobs/study.ts';
export { type Plan, planOf, type RenderOptions } from './jobs/plan.ts';
export {
  type Engine,
  type Picture,
  raisedIn,
  renderChannels,
  type RenderEvent,
  renderObjective,
  type Wanted,
  type WantedObjective,
} from './jobs/render.ts';

// Live: networks that stay open, and pictures that are watched while they are made.
export { type Block, blocksOf, endOf } from './live/blocks.ts';
export type {
  Catalogue,
  FromStudio,
  LayerFacts,
  Line,
  Look,
  ModelFacts,
  ModelRef,
  News,
  PresetFacts,
  Seen,
  SettingFacts,
  Shown,
  Studied,
  Study,
  Tiles,
  TilesOfModel,
  ToStudio,
  Wish,
} from './live/protocol.ts';
export { packed, unpacked } from './live/packed.ts';
export { type Answering, serveStudio } from './live/serve.ts';
export { createStudio, type Store, type Studio, type StudioOptions } from './live/studio.ts';

// Pictures.
export { deprocess, type DeprocessOptions, rescaleLikeKeras } from './output/deprocess.ts';
export { type Finish, finishes, type FinishSpec } from './output/finish.ts';
export { defaultColumns, grid, type GridOptions } from './output/grid.ts';
export { asciiJson, type DecodedPng, decodePng, encodePng, type ExpectedPicture } from './output/png.ts';
export { raster, type Raster } from './output/raster.ts';
export { flattened, labelHeight, tileOf, type TileOptions } from './output/tile.ts';

export { contactSheet, type SheetOptions, type SheetRow } from './output/contact.ts';
export { encodeApng } from './output/apng.ts';
export type { Timing } from './output/frames.ts';
export { encodeGif, type GifOptions } from './output/gif.ts';

// Photos.
export type { CodecName, LoadCodec } from './photo/codecs.ts';
export {
  type Photo,
  photoRaster,
  type PhotoShape,
  photoTensor,
  readPhoto,
  type ReadPhotoOptions,
} from './photo/photo.ts';
export { type PhotoSize, resize } from './photo/resize.ts';
