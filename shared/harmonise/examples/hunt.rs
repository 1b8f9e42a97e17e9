use std::io::Write;
fn main(){ std::panic::set_hook(Box::new(|_|{}));
let book=tables::codebook::Codebook::vuxna().unwrap(); let codes=harmonise::KommunCodes::none("2180".parse().unwrap(),&book);
let args:Vec<String>=std::env::args().collect(); let base=std::fs::read(&args[1]).unwrap(); let start:usize=args[2].parse().unwrap();
let mut log=std::fs::File::create("/tmp/hunt.last").unwrap();
for at in start..base.len(){ for v in [0u8,1,0x3f,0x7f,0x80,0xfd,0xff]{ let mut b=base.clone(); b[at]=v;
 use std::io::Seek; log.seek(std::io::SeekFrom::Start(0)).unwrap(); write!(log,"{at:06} {v:03}\n").unwrap();
 let _=harmonise::read(harmonise::Source::of_bytes(&b),&book,&codes,jiff::civil::date(2024,6,30)); } }
println!("done"); }
