"""Names of units: in each line a dimension, the size in its base unit, and the names."""

from fractions import Fraction

LINES = r"""
length 1 m meter metre 米
length 1/1000 mm millimeter millimetre 毫米
length 1/100 cm centimeter centimetre 厘米
length 1/10 dm decimeter decimetre
length 1000 km kilometer kilometre 千米 公里
length 0.0254 in inch inche
length 0.3048 ft foot feet
length 0.9144 yd yard
length 1609.344 mi mile
length 1/1000000 μm µm micrometer micron
length 1/1000000000 nm nanometer
mass 1 g gram gramme 克
mass 1/1000 mg milligram
mass 1000 kg kilogram kilo 千克 公斤
mass 1000000 t ton tonne
mass 453.59237 lb pound
mass 28.349523125 oz ounce
time 1 s sec second 秒
time 1/1000 ms millisecond
time 60 min minute 分钟
time 3600 h hr hour 小时
time 86400 d day 天
time 604800 wk week
months 1 month mo
months 12 year yr
volume 1 l L liter litre 升
volume 1/1000 ml mL milliliter millilitre
volume 1/100 cl centiliter
volume 3.785411784 gal gallon
volume 0.946352946 qt quart
volume 0.473176473 pt pint
volume 0.2365882365 cup
angle 1 degree deg ^\circ 度
angle 1/60 arcminute
angle 1/3600 arcsecond
radians 1 rad radian
celsius 1 ^\circC celsius degC centigrade
fahrenheit 1 ^\circF fahrenheit degF
dollars 1 \$ $ dollar USD usd US$ buck
dollars 1/100 cent ¢ penny pennie
dollars 5/100 nickel
dollars 1/10 dime
euros 1 € euro EUR eur
yen 1 ¥ yen JPY
yuan 1 yuan CNY RMB 元 人民币
sterling 1 £ GBP
rupees 1 ₹ rupee INR Rs
won 1 ₩ won KRW
rubles 1 ₽ ruble RUB
force 1 N newton
energy 1 J joule
energy 1000 kJ kilojoule
energy 4.184 cal calorie
power 1 W watt
power 1000 kW kilowatt
voltage 1 V volt
current 1 A amp ampere
frequency 1 Hz hertz
frequency 1000 kHz
pressure 1 Pa pascal
pressure 1000 kPa
kelvin 1 K kelvin
bytes 1 byte B
bytes 1024 KB
bytes 1048576 MB
bytes 1073741824 GB
bits 1 bit
amount 1 mol mole
"""
KNOWN: dict[str, tuple[str, Fraction]] = {
    name: (line.split()[0], Fraction(line.split()[1]))
    for line in LINES.strip().splitlines()
    for name in line.split()[2:]
}
