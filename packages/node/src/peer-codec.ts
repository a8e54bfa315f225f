/**
 * Raft messages as bytes between two nodes: many messages of many groups in one frame, entry data by reference. Little-endian:
 *
 *   frame    u8 version = 2 · u8 flags (1 low on space) · u16 0 · f64 wall clock of the sender, ms · message…   (until the end of the frame)
 *   message  u16 group · u8 type · u8 flags (1 reject, 2 force, 4 snapshot) · u32 entries
 *            f64 to · from · term · logTerm · index · commit · vote · rejectHint · readNumber          (80 bytes)
 *            [snapshot  f64 index · f64 term · f64 handle · configuration]
 *            entries × { f64 term · f64 index · u8 type · u8[3] 0 · u32 bytes }                         (24 bytes each)
 *            entries × data, back to back
 *   configuration  4 × { u32 count · count × f64 } (voters, outgoing, learners, next learners) · u8 autoLeave
 *
 * Decoded entries are views into the frame. Local messages (storage threads) are never encoded.
 */
import { assert, ByteReader, ByteWriter } from "@headrace/bytes";
import { message as newMessage, MessageType } from "@headrace/raft-ts";
import type { ConfState, Entry, EntryType, Message, Snapshot } from "@headrace/raft-ts";
import type { NodeNote } from "./peer-notes.ts";

export const PEER_CODEC_VERSION = 2;

const FRAME_FLAG_LOW_ON_SPACE = 1;

const FLAG_REJECT = 1;
const FLAG_FORCE = 2;
const FLAG_SNAPSHOT = 4;
/** Shorter data is copied behind the header: a chunk of its own costs more than the copy. */
const INLINE_DATA_BYTES = 1024;
const WRITER_BYTES = 16 * 1024;
const ENTRY_TYPE_MAX = 2;

/** A frame that this program cannot read. */
export class PeerCodecError extends Error {
  override name: string = "PeerCodecError";
}

/** A frame of another version of this format. */
export class PeerVersionError extends PeerCodecError {
  override name: string = "PeerVersionError";
}

/** Gathers the messages of one turn for one peer and channel. */
export class FrameBuilder {
  readonly #note: () => NodeNote;
  /** Shared by many frames: what was cut is never written again, only what lies behind it. An allocation per frame costs about 1 µs. */
  #writer: ByteWriter;
  /** Up to here the writer's bytes are in chunks. */
  #cutAt: number;
  #chunks: Uint8Array[];
  #byteLength: number;
  #messages: number;

  /** `note`: what the sender says of itself in the head of each frame. */
  constructor(note: () => NodeNote) {
    this.#note = note;
    this.#writer = new ByteWriter(WRITER_BYTES);
    this.#cutAt = 0;
    this.#chunks = [];
    this.#byteLength = 0;
    this.#messages = 0;
  }

  get messageCount(): number {
    return this.#messages;
  }

  /** Bytes of the frame so far: the sender cuts at its frame bound. */
  get byteLength(): number {
    return this.#byteLength + this.#writer.length - this.#cutAt;
  }

  /** The entries' data is kept by reference and must not change. */
  add(groupId: number, message: Message): void {
    const writer = this.#writer;
    if (this.#messages === 0) writeHead(writer, this.#note());
    this.#messages++;
    writeHeader(writer, groupId, message);
    if (message.snapshot !== null) writeSnapshot(writer, message.snapshot);
    const entries = message.entries;
    for (const entry of entries) {
      writer.f64(entry.term);
      writer.f64(entry.index);
      writer.u32(entry.type);
      writer.u32(entry.data.length);
    }
    for (const entry of entries) this.#data(entry.data);
  }

  /** The frame's chunks, and a fresh start. */
  take(): readonly Uint8Array[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#byteLength = 0;
    this.#messages = 0;
    if (this.#writer.length > WRITER_BYTES / 2) {
      this.#writer = new ByteWriter(WRITER_BYTES);
      this.#cutAt = 0;
    }
    return chunks;
  }

  #data(data: Uint8Array): void {
    if (data.length < INLINE_DATA_BYTES) {
      this.#writer.all(data);
      return;
    }
    this.#cut();
    this.#chunks.push(data);
    this.#byteLength += data.length;
  }

  #cut(): void {
    const { bytes, length } = this.#writer;
    if (length === this.#cutAt) return;
    this.#byteLength += length - this.#cutAt;
    this.#chunks.push(bytes.subarray(this.#cutAt, length));
    this.#cutAt = length;
  }
}

/**
 * Calls `visit` for each message of the frame, and answers what its sender says of itself. Throws PeerVersionError, PeerCodecError or TruncatedError: the
 * rest of the frame is lost.
 */
export function decodeFrame(frame: Uint8Array, visit: (groupId: number, message: Message) => void): NodeNote {
  const reader = new ByteReader(frame);
  const version = reader.u8();
  if (version !== PEER_CODEC_VERSION) throw new PeerVersionError(`peer frame version ${version}`);
  const flags = reader.u8();
  reader.skip(2);
  const wallMs = reader.f64();
  if (!Number.isFinite(wallMs)) throw new PeerCodecError("a frame without a wall clock");
  while (reader.remaining > 0) {
    const groupId = reader.u16();
    visit(groupId, readMessage(reader));
  }
  return { wallMs, isLowOnSpace: (flags & FRAME_FLAG_LOW_ON_SPACE) !== 0 };
}

function writeHead(writer: ByteWriter, note: NodeNote): void {
  writer.u8(PEER_CODEC_VERSION);
  writer.u8(note.isLowOnSpace ? FRAME_FLAG_LOW_ON_SPACE : 0);
  writer.u16(0);
  writer.f64(note.wallMs);
}

function writeHeader(writer: ByteWriter, groupId: number, message: Message): void {
  assert(message.type <= MessageType.PreVoteResp || message.type === MessageType.ForgetLeader, "a message for a peer");
  let flags = 0;
  if (message.reject) flags |= FLAG_REJECT;
  if (message.force) flags |= FLAG_FORCE;
  if (message.snapshot !== null) flags |= FLAG_SNAPSHOT;
  writer.u16(groupId);
  writer.u8(message.type);
  writer.u8(flags);
  writer.u32(message.entries.length);
  writer.f64(message.to);
  writer.f64(message.from);
  writer.f64(message.term);
  writer.f64(message.logTerm);
  writer.f64(message.index);
  writer.f64(message.commit);
  writer.f64(message.vote);
  writer.f64(message.rejectHint);
  writer.f64(message.readNumber);
}

function readMessage(reader: ByteReader): Message {
  const type = reader.u8();
  const flags = reader.u8();
  const entryCount = reader.u32();
  if (type > MessageType.PreVoteResp && type !== MessageType.ForgetLeader) {
    throw new PeerCodecError(`message type ${type} between nodes`);
  }
  const to = reader.f64();
  const from = reader.f64();
  const message = newMessage(type as MessageType, to, from);
  message.term = reader.f64();
  message.logTerm = reader.f64();
  message.index = reader.f64();
  message.commit = reader.f64();
  message.vote = reader.f64();
  message.rejectHint = reader.f64();
  message.readNumber = reader.f64();
  message.reject = (flags & FLAG_REJECT) !== 0;
  message.force = (flags & FLAG_FORCE) !== 0;
  if ((flags & FLAG_SNAPSHOT) !== 0) message.snapshot = readSnapshot(reader);
  if (entryCount > 0) message.entries = readEntries(reader, entryCount);
  return message;
}

function readEntries(reader: ByteReader, count: number): readonly Entry[] {
  if (count * 24 > reader.remaining) throw new PeerCodecError("entry table longer than the frame");
  const table = new ByteReader(reader.bytes, reader.offset, reader.offset + count * 24);
  reader.skip(count * 24);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    const term = table.f64();
    const index = table.f64();
    const type = table.u32();
    if (type > ENTRY_TYPE_MAX) throw new PeerCodecError(`log entry type ${type}`);
    entries.push({ term, index, type: type as EntryType, data: reader.raw(table.u32()) });
  }
  return entries;
}

function writeSnapshot(writer: ByteWriter, snapshot: Snapshot): void {
  writer.f64(snapshot.meta.index);
  writer.f64(snapshot.meta.term);
  writer.f64(snapshot.handle);
  writeConfState(writer, snapshot.meta.confState);
}

function readSnapshot(reader: ByteReader): Snapshot {
  const index = reader.f64();
  const term = reader.f64();
  const handle = reader.f64();
  return { meta: { index, term, confState: readConfState(reader) }, handle };
}

/** Also the form in a shard's checkpoint row. */
export function writeConfState(writer: ByteWriter, state: ConfState): void {
  for (const list of [state.voters, state.votersOutgoing, state.learners, state.learnersNext]) {
    writer.u32(list.length);
    for (const id of list) writer.f64(id);
  }
  writer.u8(state.autoLeave ? 1 : 0);
}

export function readConfState(reader: ByteReader): ConfState {
  const voters = readIds(reader);
  const votersOutgoing = readIds(reader);
  const learners = readIds(reader);
  const learnersNext = readIds(reader);
  return { voters, votersOutgoing, learners, learnersNext, autoLeave: reader.u8() === 1 };
}

function readIds(reader: ByteReader): readonly number[] {
  const count = reader.u32();
  if (count * 8 > reader.remaining) throw new PeerCodecError("list of replicas longer than the frame");
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push(reader.f64());
  return ids;
}
