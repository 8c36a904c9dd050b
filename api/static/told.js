// @ts-check
/** What the server says of a file, in Chinese: it says why a file was not read in English. */

/** What is said of many kinds of files in the same words: `{}` stands for a part of its own. */
const SAVE = "save it as UTF-8 text and add it again";
const SAVE_ZH = "请另存为 UTF-8 文本后再加入";

/** @type {[string, string][]} the server's words and ours; the parts keep their order */
const SENTENCES = [
  ["is empty; nothing was added", "是空的，没有加入"],
  ["holds no text; nothing was added", "没有文字，没有加入"],
  ["holds no text after its front matter; nothing was added", "文件头之后没有正文，没有加入"],
  ["its text is empty", "正文是空的"],
  ["nothing in it can be read: {}", "其中没有能读的内容：{}"],
  ["holds no text that could be an article", "没有可以成篇的文字"],
  ["{} of {} parts were not read", "共有 {}/{} 个部分没有读"],
  ["and {} more like these", "另有 {} 条类似的说明"],
  ["holds several articles; add it with `wenju add`", "含有多篇文章，请用 wenju add 加入"],
  ["is too large ({} MiB, at most {}); cut it into parts", "太大（{} MiB，最多 {} MiB），请分成几份"],
  ["is too large (at most {} MiB); cut it {}", "太大（最多 {} MiB），请分成几份"],
  ["has no ending; only {} files are read", "没有后缀，只读这几种：{}"],
  ["has {}; only {} files are read", "后缀是 {}，只读这几种：{}"],
  ["files ending in {} are not read", "后缀为 {} 的文件不读"],
  ["files ending in {} are not read (only {})", "后缀为 {} 的文件不读（只读 {}）"],
  ["such files are not read (only {})", "这种文件不读（只读 {}）"],
  ["is a sitemap; the pages that it names are read where it lies beside them on disk", "是站点地图，它列出的网页与它放在一起时才读"],
  ["is a damaged sitemap ({})", "是损坏的站点地图（{}）"],
  ["is {}; of XML only feeds and sitemaps are read", "是 {}，XML 中只读订阅源和站点地图"],
  ["holds no entry with text; nothing was added", "没有带正文的条目，没有加入"],
  ["{} of {} pages that it names do not lie beside it ({})", "它列出的网页有 {}/{} 个不在旁边（{}）"],
  ["deleted articles were kept out; --restore brings them back", "删除过的文章没有加入，用 --restore 可以恢复"],
  ["is packed twice; unpack it and add it again", "压缩了两次，请解压后再加入"],
  ["describes the text beside it; name it to add it", "是旁边那份文字的说明，指明文件名才会加入"],
  ["longer than {} characters: read as plain text, marks are kept", "超过 {} 字，按纯文本读入，保留标记"],
  ["paragraphs with too many marks keep them", "标记太多的段落保留了标记"],
  ["{} words parted at a line's end were closed ({})", "行末拆开的 {} 个词已接上（{}）"],

  ["the encoding was guessed to be {}; check the text", "编码是推测的（{}），请核对文字"],
  ["{} bytes are not {} and were read as U+FFFD; check the file", "有 {} 个字节不合 {} 编码，已用替代符表示，请核对文件"],
  ["{} control or invisible characters were left out", "略去 {} 个控制字符或不可见字符"],
  [`is not text (it holds NUL bytes); ${SAVE}`, `不是文本（含有空字节），${SAVE_ZH}`],
  [`is not text ({} control characters); ${SAVE}`, `不是文本（有 {} 个控制字符），${SAVE_ZH}`],
  [`is not text in a known encoding; ${SAVE}`, `不是已知编码的文本，${SAVE_ZH}`],
  [`is not text in a known encoding ({} fits best); ${SAVE}`, `不是已知编码的文本（最接近 {}），${SAVE_ZH}`],
  [`begins like {} but byte {} is not; ${SAVE}`, `开头是 {} 编码，第 {} 个字节却不是，${SAVE_ZH}`],

  ["no article was told from the rest of the page: all of it was read", "没有认出网页的正文，读入了整页"],
  ["the date {} was guessed from the page; check it", "日期 {} 是从网页推测的，请核对"],
  ["has {} tags, at most {} are read; cut it up", "有 {} 个标签，最多读 {} 个，请分成几份"],

  ["the front matter says {}: {}; use {}", "文件头写着 {}：{}，请改用 {}"],
  ["the front matter cannot be read at line {} ({}); put values with a colon, quotes or brackets between quotation marks", "文件头第 {} 行读不了（{}），含冒号、引号或括号的值请放在引号里"],
  ["the front matter cannot be read ({})", "文件头读不了（{}）"],
  ["{}: given twice under different names; the first was used", "{}：用不同名称写了两次，取第一个"],
  ["{}: {} is not a date that can be read", "{}：{} 不是能读的日期"],
  ["line {}: references (*name) are not read", "第 {} 行：不读引用（*name）"],
  ["line {}: lists are nested too deeply", "第 {} 行：列表嵌套太深"],

  ["is encrypted or of an old kind; save it as .docx without a password", "加了密或是旧格式，请去掉密码另存为 .docx"],
  ["is encrypted; save it without its password", "加了密，请去掉密码后另存"],
  ["is encrypted; save it without its password ({})", "加了密，请去掉密码后另存（{}）"],
  ["is encrypted; unpack it with its password and add it again", "加了密，请用密码解压后再加入"],
  ["is no RTF; check its ending", "不是 RTF，请核对后缀"],
  ["is damaged or not what its ending says ({}); check it", "已损坏或与后缀不符（{}），请检查"],
  ["unpacks to more than {} MiB; cut it up", "解压后超过 {} MiB，请分成几份"],
  ["unpacks to more than {} times its size; unpack it and add it again", "解压后超过原来的 {} 倍，请解压后再加入"],
  ["names no package; it is no EPUB that can be read", "不是能读的 EPUB"],
  ["{} chapters that it lists are not in it", "目录里有 {} 章不在文件中"],
  ["holds no {}; it is not what its ending says", "其中没有 {}，与后缀不符"],
  ["{} in it is damaged ({})", "其中的 {} 已损坏（{}）"],

  ["its name leads out of the archive; it is not read", "路径指向压缩包之外，不读"],
  ["is a link; it is not followed", "是链接，不跟随"],
  ["is a ZIP in a ZIP; unpack it and add it again", "是压缩包里的压缩包，请解压后再加入"],
  ["is damaged or no {} file ({}); pack it again", "已损坏或不是 {} 文件（{}），请重新压缩"],
  ["is damaged ({}); pack it again", "已损坏（{}），请重新压缩"],
  ["is damaged or no ZIP ({}); pack it again", "已损坏或不是 ZIP（{}），请重新压缩"],
  ["cannot be unpacked ({}); unpack it and add it again", "解压不了（{}），请解压后再加入"],
  ["holds {} files, at most {} are read; part it", "含有 {} 个文件，最多读 {} 个，请分开"],
  ["lies beyond the {} MiB that are read of a ZIP", "超出压缩包最多读取的 {} MiB"],

  ["is no PDF, or damaged ({})", "不是 PDF，或已损坏（{}）"],
  ["has {} pages, at most {} are read; cut it into parts", "有 {} 页，最多读 {} 页，请分成几份"],
  ["holds no text on its {} pages", "共 {} 页，都没有文字"],
  ["holds no text on its {} pages ({})", "共 {} 页，都没有文字（{}）"],
  ["page {} and later scans were not read: cut the file up", "第 {} 页及以后的扫描页没有读，请分成几份"],
  ["page {} is a scan; to read it install OCR: {}", "第 {} 页是扫描图，要读它请先安装文字识别：{}"],
  ["is a scan; to read it install OCR: {}", "是扫描图，要读它请先安装文字识别：{}"],
  ["page {} was read by OCR: {} lines", "第 {} 页由文字识别读入，共 {} 行"],
  ["page {} was read by OCR: {} lines, {}", "第 {} 页由文字识别读入，共 {} 行，{}"],
  ["{} of them unsure ({})", "其中 {} 行没有把握（{}）"],
  ["{} running heads and page numbers were left out", "略去 {} 处页眉和页码"],
  ["page {} holds no text that OCR can read", "第 {} 页没有能识别的文字"],
  ["holds no text that OCR can read", "没有能识别的文字"],
  ["only the first {} pages were read by OCR", "只识别了前 {} 页"],
  ["has more than {} million pixels; make it smaller", "超过 {} 百万像素，请缩小"],
  ["is no image that can be read ({}); check it", "不是能读的图片（{}），请检查"],

  ["is no JSON ({}); check it", "不是 JSON（{}），请检查"],
  ["is no JSON ({})", "不是 JSON（{}）"],
  ["is no CSV ({}); the rest was not read", "不是 CSV（{}），其余没有读"],
  ["holds neither an object nor a list of them", "既不是对象，也不是对象的列表"],
  ["is longer than {} MiB; it was passed over", "超过 {} MiB，已略过"],
  ["is no object with named fields", "不是带字段名的对象"],
  ["has no text (its fields: {}); name it: --map text=FIELD", "没有正文（字段有 {}），请用 --map text=字段 指明"],

  ["took longer than {} seconds to read; cut it into parts", "读了超过 {} 秒，请分成几份"],
  ["broke its reader; it is damaged, or needs more memory than is allowed", "读取时出错：文件已损坏，或需要的内存超过限额"],
];

/** @type {[RegExp, string][] | null} made when the first sentence comes */
let patterns = null;

/**
 * A sentence about a file in Chinese, or null where there are no words for it. A name before it
 * ("page.txt: is empty") stays.
 * @param {string} sentence the server's words
 * @returns {string | null}
 */
export function toldInChinese(sentence) {
  patterns ??= SENTENCES.map(([said, words]) => [pattern(said), words]);
  const found = translated(sentence);
  if (found !== null) return found;
  // The name may hold ": " itself, so that each place is tried.
  for (let at = sentence.indexOf(": "); at >= 0; at = sentence.indexOf(": ", at + 2)) {
    const rest = translated(sentence.slice(at + 2));
    if (rest !== null) return `${sentence.slice(0, at)}：${rest}`;
  }
  return null;
}

/** @param {string} sentence */
function translated(sentence) {
  for (const [said, words] of patterns ?? []) {
    const match = said.exec(sentence);
    if (!match) continue;
    const parts = match.slice(1).map((part) => translated(part) ?? part);
    return words.replace(/\{\}/g, () => /** @type {string} */ (parts.shift()));
  }
  return null;
}

/** @param {string} said */
function pattern(said) {
  const parts = said.split("{}").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.+?)")}$`, "s");
}
