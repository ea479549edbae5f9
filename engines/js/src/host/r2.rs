//! Objects. What is known of an object travels as one list, and so do the options of a call: each has its place.

use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{bytes, failure, number};
use crate::bindings::wasmyard::platform::r2::{
    self, ByteRange, Checksums, Condition, GetOptions, HttpMetadata, ListOptions, Part, PutOptions, R2Error,
    Reason, Writer,
};
use crate::table::{self, Resource};

type Called<T> = std::result::Result<T, R2Error>;

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("r2Head", Function::new(ctx.clone(), head)?)?;
    host.set("r2Get", Function::new(ctx.clone(), get)?)?;
    host.set("r2Put", Function::new(ctx.clone(), put)?)?;
    host.set("r2StartPut", Function::new(ctx.clone(), start_put)?)?;
    host.set("r2Delete", Function::new(ctx.clone(), delete)?)?;
    host.set("r2List", Function::new(ctx.clone(), list)?)?;
    host.set("r2CreateUpload", Function::new(ctx.clone(), create_upload)?)?;
    host.set("r2UploadPart", Function::new(ctx.clone(), upload_part)?)?;
    host.set("r2StartPart", Function::new(ctx.clone(), start_part)?)?;
    host.set("r2CompleteUpload", Function::new(ctx.clone(), complete_upload)?)?;
    host.set("r2AbortUpload", Function::new(ctx.clone(), abort_upload)?)?;
    host.set("r2Finish", Function::new(ctx.clone(), finish)?)?;
    host.set("r2FinishPart", Function::new(ctx.clone(), finish_part)?)?;
    Ok(())
}

fn with<T>(id: u32, call: impl FnOnce(&r2::Bucket) -> Called<T>) -> Called<T> {
    let called = table::with(id, |resource| match resource {
        Resource::Bucket(bucket) => Some(call(bucket)),
        _ => None,
    });
    called.flatten().unwrap_or_else(|| Err(nothing("no such bucket")))
}

fn nothing(text: &str) -> R2Error {
    R2Error { reason: Reason::Internal, code: 10001, text: text.to_owned() }
}

/// What came of a call, or a word and a text, behind which is the number.
fn answered<'js, T>(
    ctx: &Ctx<'js>,
    called: Called<T>,
    show: impl FnOnce(T) -> Result<Value<'js>>,
) -> Result<Value<'js>> {
    match called {
        Ok(found) => show(found),
        Err(R2Error { reason, code, text }) => {
            let word = match reason {
                Reason::ExceededSubrequests => "exceeded-subrequests",
                Reason::Internal => "internal",
                _ => "refused",
            };
            failure(ctx, word, &format!("{text} ({code})"))
        }
    }
}

/// Key, version, size, etag, moment, storage class, HTTP metadata, custom metadata, checksums.
fn shown<'js>(ctx: &Ctx<'js>, object: r2::Object) -> Result<Value<'js>> {
    let list = Array::new(ctx.clone())?;
    list.set(0, vec![object.key, object.version, object.etag, object.storage_class])?;
    list.set(1, object.size as f64)?;
    list.set(2, object.uploaded as f64)?;
    let http = object.http_metadata;
    let texts = Array::new(ctx.clone())?;
    texts.set(0, http.content_type)?;
    texts.set(1, http.content_language)?;
    texts.set(2, http.content_disposition)?;
    texts.set(3, http.content_encoding)?;
    texts.set(4, http.cache_control)?;
    texts.set(5, http.cache_expiry.map(|time| time as f64))?;
    list.set(3, texts)?;
    let custom: Vec<String> =
        object.custom_metadata.into_iter().flat_map(|(name, value)| [name, value]).collect();
    list.set(4, custom)?;
    let sums = object.checksums;
    let buffers = Array::new(ctx.clone())?;
    for (index, sum) in [sums.md5, sums.sha1, sums.sha256, sums.sha384, sums.sha512].into_iter().enumerate() {
        if let Some(sum) = sum {
            buffers.set(index, ArrayBuffer::new_copy(ctx.clone(), sum)?)?;
        }
    }
    list.set(5, buffers)?;
    Ok(list.into_value())
}

fn shown_if_there<'js>(ctx: &Ctx<'js>, object: Option<r2::Object>) -> Result<Value<'js>> {
    object.map_or_else(|| Ok(Value::new_null(ctx.clone())), |object| shown(ctx, object))
}

/// A number that is not below zero; below stands for none.
fn given(value: f64) -> Option<u64> {
    (value >= 0.0).then_some(value as u64)
}

/// Two lists of etags, then two moments and a switch.
fn condition(list: &Array<'_>) -> Result<Condition> {
    Ok(Condition {
        etag_matches: list.get(0)?,
        etag_does_not_match: list.get(1)?,
        uploaded_before: given(list.get(2)?),
        uploaded_after: given(list.get(3)?),
        seconds_granularity: list.get(4)?,
    })
}

/// A condition, six of HTTP metadata, custom metadata, five checksums, a storage class.
fn put_options<'js>(ctx: &Ctx<'js>, list: &Array<'js>) -> Result<PutOptions> {
    let http: Array<'js> = list.get(1)?;
    let custom: Vec<String> = list.get(2)?;
    let sums: Array<'js> = list.get(3)?;
    let sum = |index| {
        let buffer: Option<ArrayBuffer<'js>> = sums.get(index)?;
        buffer.map(|buffer| bytes(ctx, &buffer)).transpose()
    };
    Ok(PutOptions {
        only_if: condition(&list.get(0)?)?,
        http_metadata: HttpMetadata {
            content_type: http.get(0)?,
            content_language: http.get(1)?,
            content_disposition: http.get(2)?,
            content_encoding: http.get(3)?,
            cache_control: http.get(4)?,
            cache_expiry: given(http.get(5)?),
        },
        custom_metadata: custom.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
        checksums: Checksums {
            md5: sum(0)?,
            sha1: sum(1)?,
            sha256: sum(2)?,
            sha384: sum(3)?,
            sha512: sum(4)?,
        },
        storage_class: list.get(4)?,
    })
}

fn head<'js>(ctx: Ctx<'js>, id: u32, key: String) -> Result<Value<'js>> {
    answered(&ctx, with(id, |bucket| bucket.head(&key)), |found| shown_if_there(&ctx, found))
}

/// Null where there is none; otherwise the object, first byte and number of bytes, and the handle of the content, if there is
/// one. A range is an offset, a length and a suffix.
fn get<'js>(ctx: Ctx<'js>, id: u32, key: String, only_if: Array<'js>, range: Vec<f64>) -> Result<Value<'js>> {
    let part = |index: usize| range.get(index).copied().and_then(given);
    let range = ByteRange { offset: part(0), length: part(1), suffix: part(2) };
    let options = GetOptions { only_if: condition(&only_if)?, range };
    answered(&ctx, with(id, |bucket| bucket.get(&key, &options)), |found| {
        let Some(found) = found else { return Ok(Value::new_null(ctx.clone())) };
        let list = Array::new(ctx.clone())?;
        list.set(0, shown(&ctx, found.object)?)?;
        list.set(1, found.range.0 as f64)?;
        list.set(2, found.range.1 as f64)?;
        if let Some(body) = found.body {
            list.set(3, table::put(Resource::Content(body)))?;
        }
        Ok(list.into_value())
    })
}

fn put<'js>(
    ctx: Ctx<'js>,
    id: u32,
    key: String,
    content: ArrayBuffer<'js>,
    options: Array<'js>,
) -> Result<Value<'js>> {
    let (options, content) = (put_options(&ctx, &options)?, bytes(&ctx, &content)?);
    let put = with(id, |bucket| bucket.put(&key, &content, &options));
    answered(&ctx, put, |made| shown_if_there(&ctx, made))
}

fn start_put<'js>(ctx: Ctx<'js>, id: u32, key: String, options: Array<'js>) -> Result<Value<'js>> {
    let options = put_options(&ctx, &options)?;
    opened(&ctx, with(id, |bucket| bucket.start_put(&key, &options)))
}

fn start_part<'js>(ctx: Ctx<'js>, id: u32, key: String, upload: String, part: u32) -> Result<Value<'js>> {
    opened(&ctx, with(id, |bucket| bucket.start_part(&key, &upload, part)))
}

fn opened<'js>(ctx: &Ctx<'js>, writer: Called<Writer>) -> Result<Value<'js>> {
    answered(ctx, writer, |writer| match writer.body() {
        Ok(stream) => {
            let writer = table::Writer::Object(writer);
            Ok(number(ctx, table::put(Resource::Writer { stream, writer })))
        }
        Err(()) => failure(ctx, "internal", "the content cannot be written"),
    })
}

fn taken(id: u32) -> Called<Writer> {
    crate::turns::forget(id);
    match table::take(id) {
        Some(Resource::Writer { stream, writer: table::Writer::Object(writer) }) => {
            drop(stream);
            Ok(writer)
        }
        _ => Err(nothing("no such content")),
    }
}

fn finish<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    answered(&ctx, taken(id).and_then(Writer::finish), |made| shown_if_there(&ctx, made))
}

fn finish_part<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    answered(&ctx, taken(id).and_then(Writer::finish_part), |part| shown_part(&ctx, part))
}

/// A number and an etag.
fn shown_part<'js>(ctx: &Ctx<'js>, part: Part) -> Result<Value<'js>> {
    let list = Array::new(ctx.clone())?;
    list.set(0, part.number)?;
    list.set(1, part.etag)?;
    Ok(list.into_value())
}

fn delete<'js>(ctx: Ctx<'js>, id: u32, keys: Vec<String>) -> Result<Value<'js>> {
    answered(&ctx, with(id, |bucket| bucket.delete(&keys)), |()| Ok(Value::new_null(ctx.clone())))
}

/// Objects, what their keys begin with that have the delimiter, and the cursor.
fn list<'js>(ctx: Ctx<'js>, id: u32, texts: Vec<Option<String>>, limit: f64) -> Result<Value<'js>> {
    let text = |index: usize| texts.get(index).cloned().flatten();
    let options = ListOptions {
        prefix: text(0),
        delimiter: text(1),
        cursor: text(2),
        start_after: text(3),
        limit: given(limit).map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
    };
    answered(&ctx, with(id, |bucket| bucket.list(&options)), |page| {
        let (list, objects) = (Array::new(ctx.clone())?, Array::new(ctx.clone())?);
        for (index, object) in page.objects.into_iter().enumerate() {
            objects.set(index, shown(&ctx, object)?)?;
        }
        list.set(0, objects)?;
        list.set(1, page.delimited_prefixes)?;
        list.set(2, page.cursor)?;
        Ok(list.into_value())
    })
}

fn create_upload<'js>(ctx: Ctx<'js>, id: u32, key: String, options: Array<'js>) -> Result<Value<'js>> {
    let options = put_options(&ctx, &options)?;
    let made = with(id, |bucket| bucket.create_upload(&key, &options));
    answered(&ctx, made, |upload| Ok(rquickjs_core::String::from_str(ctx.clone(), &upload)?.into_value()))
}

fn upload_part<'js>(
    ctx: Ctx<'js>,
    id: u32,
    key: String,
    upload: String,
    part: u32,
    content: ArrayBuffer<'js>,
) -> Result<Value<'js>> {
    let content = bytes(&ctx, &content)?;
    let made = with(id, |bucket| bucket.upload_part(&key, &upload, part, &content));
    answered(&ctx, made, |part| shown_part(&ctx, part))
}

/// The parts are numbers and etags.
fn complete_upload<'js>(
    ctx: Ctx<'js>,
    id: u32,
    key: String,
    upload: String,
    numbers: Vec<u32>,
    etags: Vec<String>,
) -> Result<Value<'js>> {
    let parts: Vec<Part> =
        numbers.into_iter().zip(etags).map(|(number, etag)| Part { number, etag }).collect();
    let made = with(id, |bucket| bucket.complete_upload(&key, &upload, &parts));
    answered(&ctx, made, |object| shown(&ctx, object))
}

fn abort_upload<'js>(ctx: Ctx<'js>, id: u32, key: String, upload: String) -> Result<Value<'js>> {
    let aborted = with(id, |bucket| bucket.abort_upload(&key, &upload));
    answered(&ctx, aborted, |()| Ok(Value::new_null(ctx.clone())))
}
